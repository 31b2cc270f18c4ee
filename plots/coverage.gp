# coverage.gp - the gain by the number of specialists that cover the true class.
#
#   gnuplot runs/demo/specialists/coverage.set plots/coverage.gp
#
# data: coverage.csv, rows of seeds and rows "mean". The .set file says data, output, experiment, seeds,
# specialists, classes, most (the largest number of covering specialists), examples[] (test examples of each).

set datafile separator comma
set encoding utf8
set title sprintf('%s: gain by the number of specialists', experiment) noenhanced \
    font ',20' offset 0, 0.3
set xlabel 'specialists that cover the true class (test examples, mean)' font ',17' offset 0, -1.2
set ylabel 'relative change of test accuracy, %' font ',17' offset -1.5, 0
set border 3 lw 1.5 lc rgb '#404040'
set tics nomirror out font ',15'
set grid ytics lc rgb '#d8d8d8' lt 1 lw 1
set lmargin 12
set rmargin 5
set tmargin 4.5
set bmargin 6.5
set key top left inside reverse Left noenhanced font ',15' spacing 1.3 samplen 2
note = sprintf('%d specialists of %d classes; ', specialists, classes)
note = note . (seeds < 2 ? 'one seed: no intervals' : \
    sprintf('mean of %d seeds; whiskers: 95 %% intervals', seeds))
set label 1 note at graph 0, 1 offset 0, 1 left font ',13' textcolor rgb '#505050'

mean(c) = strcol(1) eq 'mean' ? column(c) : NaN
seed(c) = strcol(1) eq 'mean' ? NaN : column(c)
half(c) = strlen(strcol(c)) > 0 ? column(c) : 0
stats data skip 1 using 7 name 'y' nooutput
stats data skip 1 using (strcol(1) eq 'mean' ? $7 - half(9) : NaN) name 'l' nooutput
stats data skip 1 using (strcol(1) eq 'mean' ? $7 + half(9) : NaN) name 'h' nooutput
# An interval of few seeds may be very long: it does not squeeze the rest.
low = y_min < 0 ? y_min : 0
high = y_max > 0 ? y_max : 0
room = high - low > 0 ? high - low : 1
low = l_min < low ? (l_min > low - room ? l_min : low - room) : low
high = h_max > high ? (h_max < high + room ? h_max : high + room) : high
set yrange [low - 0.08 * room : high + 0.2 * room]
set format y (high - low < 0.5 ? '%+.2f' : '%+.1f')
set xrange [-0.6 : most + 0.6]
set xtics ()
do for [c = 0 : most] {
    seen = examples[c + 1] > 0 ? sprintf('%.0f', examples[c + 1]) : 'none'
    set xtics add (sprintf("%d\n(%s)", c, seen) c)
}
set boxwidth 0.5
set style fill solid 1.0 noborder
# Seeds stand beside each other.
place(n) = seeds > 1 ? 0.3 * (n / (seeds - 1.0) - 0.5) : 0
last = ''
number = -1
of_seed(s) = (number = s eq last ? number : number + 1, last = s, number)

do for [kind in 'svg png'] {
    if (kind eq 'svg') { set terminal svg size 1200, 800 font 'Helvetica,15' background '#ffffff' linewidth 1.2 }
    else { set terminal pngcairo size 1200, 800 font 'Sans,12' background '#ffffff' linewidth 1.4 }
    set output sprintf('%s.%s', output, kind)
    last = ''
    number = -1
    plot data skip 1 using 2:(mean(7)) with boxes lc rgb '#9fb6d0' title 'mean', \
         data skip 1 using 2:(mean(7) - half(9)):(0):(2 * half(9)) with vectors heads size graph 0.006, 90 \
             lw 1.8 lc rgb '#12355b' notitle, \
         data skip 1 using ($2 + place(of_seed(strcol(1)))):(seed(7)) with points pt 6 ps 1.5 lw 1.8 \
             lc rgb '#c1440e' title 'one seed', \
         0 with lines lw 1.5 lc rgb '#404040' notitle
    unset output
}

# sizes.gp - test error against the number of examples that a student is shown, both axes logarithmic.
#
#   gnuplot runs/demo/sizes.set plots/sizes.gp
#
# data: row (of the picture), kind, line, examples, cell, trials, done, error_last, its half, error_best, its half; parts of
# 1. The .set file says data, output, experiment, seeds, xtics, x_low, x_high, y_low, y_high, lines, names[], of_labels[],
# has_early, teacher, teacher_inside.

array colours[8] = ['#505050', '#12355b', '#c1440e', '#2a9d8f', '#8f6bb3', '#d99a1c', '#d4708f', '#4f8fd0']
array marks[8] = [7, 5, 9, 13, 11, 4, 6, 8]

set datafile separator comma
set encoding utf8

span = log(x_high / x_low)
if (span <= 0) { span = log(4.0) }
from = x_low * exp(-0.06 * span)
to = x_high * exp(0.06 * span)
beside(x, i) = x * exp((i - 0.5 * (lines + 1)) * 0.007 * span)
has_teacher = (teacher == teacher)

set title sprintf('%s: test error against the number of examples', experiment) noenhanced font ',20' offset 0, 0.3
set xlabel 'examples of the transfer set' font ',17' offset 0, -0.3
set ylabel 'test error, %' font ',17' offset -1.5, 0
set logscale xy
set xrange [from : to]
set yrange [y_low : y_high]
set format y '%g'
if (y_high / y_low > 5) { set ytics (0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 4, 5, 7, 10, 15, 20, 30, 40, 50, 70, 100) } \
else { if (y_high / y_low > 2) {
    set ytics (0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1, 1.2, 1.5, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 10, 12, 15, 20, \
        25, 30, 40, 50, 60, 80, 100)
} else { set ytics auto; set ytics 0, (y_high > 20 ? 5 : y_high > 5 ? 1 : y_high > 2 ? 0.2 : y_high > 1 ? 0.1 : 0.05) } }
set grid ytics lc rgb '#e0e0e0' lt 1 lw 1
set border 3 lw 1.5 lc rgb '#404040'
set tics nomirror out
set xtics font ',15'
set ytics font ',15'
unset mxtics
unset mytics
set lmargin 12
set rmargin (has_teacher ? 19 : 4)
set tmargin 3.5
entries = lines
do for [i = 1 : lines] { if (of_labels[i] && has_early) { entries = entries + 1 } }
set bmargin 5.5 + 1.7 * ceil(entries / 3.0)
set key outside below center horizontal maxcols 3 noenhanced font ',14' samplen 4 spacing 1.3 width 2 noautotitle
note = seeds > 1 ? sprintf('mean of %d seeds, 95 %% intervals', seeds) : 'one seed: no intervals'
set label 1 note . '; last epoch' . (has_early ? ', dashed: the epoch that is best on validation' : '') \
    at graph 0, 1 offset 0.5, 0.8 left font ',13' textcolor rgb '#505050'
if (has_teacher) {
    set label 2 sprintf("teacher %.2f %%", teacher) . (teacher_inside ? '' : teacher > y_high ? "\n(above)" : "\n(below)") \
        at graph 1, (teacher_inside ? log(teacher / y_low) / log(y_high / y_low) : teacher > y_high ? 0.97 : 0.06) \
        offset 1, 0 left font ',15'
}
teacher_y = (has_teacher && teacher_inside) ? teacher : NaN

known(c) = strlen(strcol(c)) > 0
half(c) = known(c) ? 100 * column(c) : 0
low(c) = 100 * column(c) - half(c + 1) > y_low ? 100 * column(c) - half(c + 1) : y_low
mine(i, c) = $1 == i && known(c)
early(i) = $1 == i && of_labels[i] && known(10)
colour(i) = (i - 1) % 8 + 1
set samples 2

do for [kind in 'svg png'] {
    if (kind eq 'svg') { set terminal svg size 1200, 840 font 'Helvetica,15' background '#ffffff' linewidth 1.2 }
    else { set terminal pngcairo size 1200, 840 font 'Sans,12' background '#ffffff' linewidth 1.4 }
    set output sprintf('%s.%s', output, kind)
    plot teacher_y with lines lw 2.2 dt '.' lc rgb '#000000', \
         for [i = 1 : lines] data skip 1 using (mine(i, 8) ? beside($4, i) : NaN):(100 * $8):(low(8)):(100 * $8 + half(9)) \
             with yerrorbars lw 1.6 ps 0 pt 7 lc rgb colours[colour(i)], \
         for [i = 1 : lines] data skip 1 using (early(i) ? beside($4, i + 0.5) : NaN):(100 * $10):(low(10)):(100 * $10 + half(11)) \
             with yerrorbars lw 1.2 ps 0 pt 7 lc rgb colours[colour(i)], \
         for [i = 1 : lines] data skip 1 using (mine(i, 8) ? beside($4, i) : 1/0):(100 * $8) with linespoints lw 2.2 ps 1.5 \
             pt marks[colour(i)] lc rgb colours[colour(i)] title names[i], \
         for [i = 1 : lines] data skip 1 using (early(i) ? beside($4, i + 0.5) : 1/0):(100 * $10) with linespoints lw 1.8 ps 1.2 \
             dt '-' pt 6 lc rgb colours[colour(i)] title (of_labels[i] && has_early ? names[i] . ', early stopping' : '')
    unset output
}

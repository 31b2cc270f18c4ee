# omitted.gp - each class left out in turn: test errors, and accuracy on the class that was never seen.
#
#   gnuplot runs/demo/omitted.set plots/omitted.gp
#
# data: omitted.csv: the classes, five numbers, and for no shift, matched on training images, matched on test images and
# tuned on test: s, errors and accuracy, each with its interval. The .set file says data, output, experiment, seeds, rows.

set datafile separator comma
set encoding utf8

array names[3] = ['as trained', 'bias matched to the prior, on training images', 'bias tuned on test']
array colours[3] = ['#b0b0b0', '#2a6f97', '#e07a1f']
array first[3] = [7, 13, 25]
bar = 0.26
at(i, b) = i + (b - 2) * bar
number_at(b, p) = first[b] + (p == 1 ? 2 : 4)
# Intervals end at 0 and, of accuracies, at 100.
low(mean, h) = mean - h > 0 ? mean - h : 0
high(panel, mean, h) = panel == 2 && mean + h > 100 ? 100 : mean + h
reach(panel, mean, h) = high(panel, mean, h) - low(mean, h)
half(c) = strlen(strcol(c)) > 0 ? real(strcol(c)) : 0

array classes[rows]
do for [r = 1 : rows] {
    stats data skip r every ::0::0 using (classes[r] = strcol(1), 1) nooutput
}

wide = rows > 12 ? 100 * rows : 1200
do for [kind in 'svg png'] {
    if (kind eq 'svg') { set terminal svg size wide, 900 font 'Helvetica,15' background '#ffffff' linewidth 1.2 }
    else { set terminal pngcairo size wide, 900 font 'Sans,12' background '#ffffff' linewidth 1.4 }
    set output sprintf('%s.%s', output, kind)
    set multiplot
    do for [panel = 1 : 2] {
        reset
        set datafile separator comma
        set lmargin at screen 0.1
        set rmargin at screen 0.98
        set tmargin at screen (panel == 1 ? 0.83 : 0.45)
        set bmargin at screen (panel == 1 ? 0.50 : 0.11)
        set border 3 lw 1.5 lc rgb '#404040'
        set tics nomirror out font ',15'
        set grid ytics lc rgb '#e0e0e0' lt 1 lw 1
        set xrange [-0.6 : rows - 0.4]
        set style fill solid 1.0 noborder
        set boxwidth 0.92 * bar
        unset key
        set xtics scale 0
        do for [r = 1 : rows] { set xtics add (classes[r] r - 1) }
        if (panel == 1) {
            set label 2 sprintf('%s: classes left out in turn', experiment) noenhanced at screen 0.5, 0.965 center font ',20'
            set label 1 (seeds > 1 ? sprintf('mean of %d seeds; bars: 95 %% intervals', seeds) : 'one seed') \
                at screen 0.98, 0.87 right font ',13' textcolor rgb '#505050'
            set key at screen 0.1, screen 0.855 left bottom vertical Left reverse noautotitle font ',14' samplen 2
            set ylabel 'test errors' font ',17' offset -0.8, 0
            set yrange [0 : *]
        } else {
            set ylabel 'right, of unseen, %' font ',17' offset -0.8, 0
            set xlabel 'class that no example of the transfer set is of' font ',17' offset 0, -0.2
            set yrange [0 : 104]
        }
        scale = panel == 1 ? 1 : 100
        plot for [b = 1 : 3] data skip 1 using (at($0, b)):(scale * column(number_at(b, panel))) with boxes \
                 lc rgb colours[b] title names[b], \
             for [b = 1 : 3] data skip 1 using (at($0, b)):(low(scale * column(number_at(b, panel)), \
                 scale * half(number_at(b, panel) + 1))):(0):(reach(panel, scale * column(number_at(b, panel)), \
                 scale * half(number_at(b, panel) + 1))) with vectors heads size 0.05, 90 lw 1.5 lc rgb '#404040'
    }
    unset multiplot
    unset output
}

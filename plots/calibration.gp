# calibration.gp - accuracy against confidence, as trained and with a fitted temperature.
#
#   gnuplot runs/demo/calibration.set plots/calibration.gp
#
# data: line, network, seed, scaled, bin, examples, confidence, accuracy; drawn are the rows with seed "all". The
# .set file says data, output, experiment, seeds, lines, names[], before[], after[], scaled (1: there is a right half).

array colours[6] = ['#000000', '#707070', '#c1440e', '#12355b', '#2a9d8f', '#8f6bb3']
array marks[6] = [7, 5, 9, 13, 11, 4]
array dashes[6] = [2, 4, 1, 1, 5, 3]
least = 10

set datafile separator comma
set encoding utf8

halves = scaled ? 2 : 1
wide = scaled ? 1400 : 800
high = 880 + 26 * lines
left(h) = scaled ? (h == 1 ? 0.075 : 0.57) : 0.13
right(h) = scaled ? (h == 1 ? 0.485 : 0.975) : 0.96
# From the top: title, curves, counts, key.
pixel = 1.0 / high
key_top = (40 + 26 * lines) * pixel
counts_bottom = key_top + 60 * pixel
counts_top = counts_bottom + 130 * pixel
curves_bottom = counts_top + 45 * pixel
curves_top = 1 - 110 * pixel
mine(l, s) = column(1) == l && strcol(3) eq 'all' && column(4) == s
enough(n) = n >= least ? 1 : NaN

do for [kind in 'svg png'] {
    if (kind eq 'svg') { set terminal svg size wide, high font 'Helvetica,15' background '#ffffff' linewidth 1.2 }
    else { set terminal pngcairo size wide, high font 'Sans,12' background '#ffffff' linewidth 1.4 }
    set output sprintf('%s.%s', output, kind)
    set multiplot
    do for [h = 1 : halves] {
        s = h - 1
        # the curves
        reset
        set datafile separator comma
        unset key
        set lmargin at screen left(h)
        set rmargin at screen right(h)
        set tmargin at screen curves_top
        set bmargin at screen curves_bottom
        set xrange [0 : 1]
        set yrange [0 : 1]
        set border 3 lw 1.5 lc rgb '#404040'
        set tics nomirror out font ',14'
        set xtics 0, 0.2, 1
        set ytics 0, 0.2, 1
        set format x ''
        set format y '%.1f'
        set grid lc rgb '#e0e0e0' lt 1 lw 1
        if (h == 1) {
            set ylabel 'accuracy' font ',17' offset -1, 0
            set label 10 sprintf('%s: is a network as right as it is sure? (test set)', experiment) noenhanced \
                at screen 0.5, 1 - 32 * pixel center font (scaled ? ',20' : ',15')
            set label 11 sprintf('15 bins of confidence%s; bins with %d examples or more; on the diagonal: calibrated', \
                seeds > 1 ? sprintf(', %d seeds together', seeds) : '', least) \
                at screen 0.5, 1 - 64 * pixel center font (scaled ? ',13' : ',10') textcolor rgb '#505050'
        }
        set label 12 (h == 1 ? 'as trained' : 'with the temperature T* fitted on validation') at graph 0.98, 0.05 right font ',16'
        plot x with lines lw 1.5 dt '-' lc rgb '#a0a0a0', \
             for [l = 1 : lines] data skip 1 using (mine(l, s) && $6 >= least ? $7 : NaN):8 with linespoints \
                 lw 2 ps 1.3 pt marks[l] dt dashes[l] lc rgb colours[l]
        # how many examples each bin has
        reset
        set datafile separator comma
        unset key
        set lmargin at screen left(h)
        set rmargin at screen right(h)
        set tmargin at screen counts_top
        set bmargin at screen counts_bottom
        set xrange [0 : 1]
        set logscale y
        set yrange [0.5 : *]
        set border 3 lw 1.5 lc rgb '#404040'
        set tics nomirror out font ',13'
        set xtics 0, 0.2, 1 font ',14'
        set format x '%.1f'
        set format y '10^{%L}'
        set ytics 1, 100
        unset mytics
        set grid lc rgb '#e0e0e0' lt 1 lw 1
        set xlabel 'confidence: probability of the answer' font ',17'
        if (h == 1) { set ylabel 'examples' font ',14' offset -1, 0 }
        # ECE and NLL
        do for [l = 1 : lines] {
            y = key_top - 26 * l * pixel
            set arrow l from screen left(h), y to screen left(h) + 34.0 / wide, y nohead lw 2 dt dashes[l] lc rgb colours[l]
            set label l sprintf('%s:  %s', names[l], h == 1 ? before[l] : after[l]) noenhanced \
                at screen left(h) + 44.0 / wide, y left font ',14'
            set label 20 + l at screen left(h) + 17.0 / wide, y point pt marks[l] ps 1.2 lc rgb colours[l]
        }
        plot for [l = 1 : lines] data skip 1 using (mine(l, s) && $6 > 0 ? ($5 - 0.5) / 15 : NaN):6 with linespoints \
                 lw 1.6 ps 0.7 pt marks[l] dt dashes[l] lc rgb colours[l]
    }
    unset multiplot
    unset output
}

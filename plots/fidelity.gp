# fidelity.gp - test accuracy against agreement with the teacher.
#
#   gnuplot runs/compare-mnist/fidelity.set plots/fidelity.gp
#
# data: league.csv. The .set file says data, output, experiment, seeds, lines, names[], teacher, scratch.

set datafile separator comma
set encoding utf8
set title sprintf('%s: being right, and being like the teacher', experiment) noenhanced font ',20' offset 0, 0.3
set xlabel 'agreement with the teacher on the test set, %' font ',16' offset 0, -0.3
set ylabel 'test accuracy, %' font ',16' offset -1.5, 0
set border 3 lw 1.5 lc rgb '#404040'
set tics nomirror out font ',14'
set grid lc rgb '#e0e0e0' lt 1 lw 1
set lmargin 12
set rmargin 12
set tmargin 4.5
set bmargin 4.5
unset key
set label 1 sprintf('after the last epoch; mean of %d seeds; bars: 95 %% intervals', seeds) \
    at graph 0, 1 offset 0, 1 left font ',13' textcolor rgb '#505050'
wide(half) = strlen(strcol(half)) > 0 ? 100 * column(half) : 0
stats data skip 1 every ::0::lines - 1 using (100 * $17) name 's' nooutput
least = s_lo_quartile - 2.5 * (s_up_quartile - s_lo_quartile) - 0.1
least = s_min > least ? s_min : least
set xrange [least - 0.08 * (s_max - least) : s_max + 0.2 * (s_max - least)]
across = 1.28 * (s_max - least)
# A row far below the others does not squeeze them; league.csv has it.
stats data skip 1 every ::0::lines - 1 using (100 * $6) name 'y' nooutput
room = 2.5 * (y_up_quartile - y_lo_quartile) + 0.1
bottom = (y_min > y_lo_quartile - room ? y_min : y_lo_quartile - room) - 0.15 * room
top = y_max + 0.3 * room
set yrange [bottom : top]
# Names stand beside their points, from the best row down; one that would cover another moves below it.
array name_x[lines]
array name_y[lines]
wide_name(k) = across * (0.01 + 0.0088 * strlen(names[k]))
tall_name = 0.024 * (top - bottom)
below(k) = name_x[k] < name_x[n] + wide_name(n) && name_x[n] < name_x[k] + wide_name(k) && \
    abs(name_y[k] - name_y[n]) < tall_name
place(x, y) = (n = n + 1, name_x[n] = x, name_y[n] = y, \
    (sum [k = 1 : n - 1] (below(k) ? (name_y[n] = name_y[k] - tall_name, 0) : 0)), name_y[n])
do for [kind in 'svg png'] {
    if (kind eq 'svg') { set terminal svg size 1200, 800 font 'Helvetica,14' background '#ffffff' linewidth 1.2 }
    else { set terminal pngcairo size 1200, 800 font 'Sans,11' background '#ffffff' linewidth 1.4 }
    set output sprintf('%s.%s', output, kind)
    n = 0
    plot scratch with lines lw 1.5 dt '-' lc rgb '#909090', \
         data skip 1 every ::0::lines - 1 using (100 * $17):(100 * $6):(wide(7)) with yerrorbars lw 1.2 pt 7 ps 0 lc rgb '#b8c4d0', \
         data skip 1 every ::0::lines - 1 using (100 * $17):(100 * $6) with points pt 7 ps 1.6 lc rgb '#12355b', \
         data skip 1 every ::0::lines - 1 using (100 * $17):(place((100 * column(17)), 100 * $6)):2 with labels left offset 0.8, 0.3 font ',12' noenhanced
    unset output
}

# ridge.gp - test error over width and temperature, coloured relative to the best temperature of each width.
#
#   gnuplot runs/demo/ridge.set plots/ridge.gp
#
# data: equivalence.csv: row (of the picture), facet, line, alpha, T, at, seeds, error, half, relative, best, alike, ...;
# parts of 1. The .set file says data, output, experiment, seeds, axis_name, xtics, temperatures, has_logits, lines,
# names[].

set datafile separator comma
set encoding utf8

columns = temperatures + (has_logits ? 1 : 0)
known(c) = strlen(strcol(c)) > 0
stats data skip 1 using ($1 > 0 && known(10) ? 100 * $10 : NaN) nooutput
high = STATS_max > 100 ? 100 : STATS_max > 2 ? STATS_max : 2
shade(r) = 100 * r > high ? high : 100 * r < 0 ? 0 : 100 * r
ink(r) = shade(r) / high < 0.42 ? 0xffffff : 0x000000

set title sprintf('%s: which temperature is best', experiment) noenhanced font ',20' offset 0, 1.4
set xlabel 'temperature T' font ',17' offset 0, -0.3
set ylabel (axis_name eq '' ? 'student' : axis_name) noenhanced font ',17' offset -2.5, 0
set cblabel 'above the best T of the row, %' font ',16' offset 1.5, 0
if (STATS_max > 100) { set cbtics add ('≥ 100' 100) }
set xrange [-0.5 : columns - 0.5]
set yrange [lines + 0.5 : 0.5]
set cbrange [0 : high]
set format cb '%g'
set border 0
set tics scale 0
set xtics font ',15'
set cbtics font ',14' scale 0.5
unset key
set ytics ('' 0) font ',14'
longest = 4
do for [i = 1 : lines] {
    set ytics add (names[i] i) noenhanced
    if (strlen(names[i]) > longest) { longest = strlen(names[i]) }
}
set lmargin 7 + (longest > 30 ? 30 : longest)
set rmargin 13
set bmargin 5
set tmargin 6
# From dark (best) to light: monotone in lightness, so grey shows the same order.
set palette defined (0 '#173f5f', 0.25 '#20639b', 0.5 '#4fa3a5', 0.75 '#a9d6a4', 1 '#f7f4c8')
size = columns > 12 || lines > 16 ? 10 : columns > 9 || lines > 10 ? 12 : 15
note = seeds > 1 ? sprintf('test error in %%, mean of %d seeds, last epoch; below it: above the best T of the row, in %%', seeds) \
                 : 'test error in %, one seed, last epoch; below it: above the best T of the row, in %'
set label 1 note at graph 0, 1 offset 0, 2.1 left font ',13' textcolor rgb '#505050'
set label 2 'framed: best T of the row' . (seeds > 1 ? ';  dot: not worse than it by p < 0.05 (paired t-test over seeds)' : '') \
    at graph 0, 1 offset 0, 0.8 left font ',13' textcolor rgb '#505050'

height = 260 + (lines > 16 ? 42 : 62) * lines
if (height < 520) { height = 520 }
do for [kind in 'svg png'] {
    if (kind eq 'svg') { set terminal svg size 1300, height font 'Helvetica,15' background '#ffffff' linewidth 1.2 }
    else { set terminal pngcairo size 1300, height font 'Sans,12' background '#ffffff' linewidth 1.4 }
    set output sprintf('%s.%s', output, kind)
    plot data skip 1 using ($1 > 0 && !known(8) ? $6 : NaN):1:(0.49):(0.485) with boxxyerror \
             fillcolor rgb '#c0c0c0' fillstyle pattern 4 noborder, \
         data skip 1 using ($1 > 0 && known(8) && !known(10) ? $6 : NaN):1:(0.49):(0.485) with boxxyerror \
             fillcolor rgb '#e4e4e4' fillstyle solid 1.0 noborder, \
         data skip 1 using ($1 > 0 && known(10) ? $6 : NaN):1:(0.49):(0.485):(shade($10)) with boxxyerror \
             fillcolor palette fillstyle solid 1.0 noborder, \
         data skip 1 using ($1 > 0 && $11 == 1 ? $6 : NaN):1:(0.475):(0.46) with boxxyerror fillstyle empty lc rgb '#ffffff' lw 7, \
         data skip 1 using ($1 > 0 && $11 == 1 ? $6 : NaN):1:(0.475):(0.46) with boxxyerror fillstyle empty lc rgb '#000000' lw 3.5, \
         data skip 1 using ($1 > 0 && known(8) ? $6 : NaN):($1 - 0.14):(sprintf('{/:Bold %.2f}', 100 * $8)):(known(10) ? ink($10) : 0) \
             with labels font sprintf(',%d', size) textcolor rgb variable, \
         data skip 1 using ($1 > 0 && known(10) && $11 == 0 ? $6 : NaN):($1 + 0.22):(sprintf('%+.0f %%', 100 * $10)):(ink($10)) \
             with labels font sprintf(',%d', size - 3) textcolor rgb variable, \
         data skip 1 using ($1 > 0 && $11 == 0 && $12 == 1 ? $6 + 0.38 : NaN):($1 - 0.3):(known(10) ? ink($10) : 0) \
             with points pt 7 ps 1.2 lc rgb variable
    unset output
}

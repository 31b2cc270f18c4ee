# heatmap.gp - test error over temperature and alpha.
#
#   gnuplot runs/demo/heatmap.set plots/heatmap.gp
#
# The .set file says what to draw: data, output, experiment, columns, rows, xtics, ytics, low, high,
# has_choice, chosen_column, chosen_row, missing (1: some cells have no number), seeds.

set datafile separator comma
set encoding utf8

set title sprintf('%s: test error of the students', experiment) noenhanced font ',20' offset 0, 0.3
set xlabel 'alpha (weight of the teacher)' font ',17' offset 0, -0.3
set ylabel 'temperature T' font ',17' offset -1.5, 0
set cblabel 'test error, %' font ',17' offset 1.5, 0
set xrange [-0.5 : columns - 0.5]
set yrange [rows - 0.5 : -0.5]
set cbrange [low : high]
set format cb '%.2f'
set border 0
set tics scale 0
set xtics font ',15'
set ytics font ',15'
set cbtics font ',14' scale 0.5
unset key
set lmargin 11
set rmargin 15
set bmargin 5
set tmargin 3.5
# From dark (few errors) to light (many): monotone in lightness, so grey shows the same order.
set palette defined (0 '#173f5f', 0.25 '#20639b', 0.5 '#4fa3a5', 0.75 '#a9d6a4', 1 '#f7f4c8')
set colorbox

ink(v) = (v - low) / (high - low) < 0.42 ? 0xffffff : 0x000000
# An empty field is no number: it must be asked for as text, or gnuplot skips the point.
known(i) = strlen(strcol(i)) > 0
size = columns * rows > 60 ? 11 : columns * rows > 30 ? 14 : 17
note = seeds > 1 ? sprintf('mean and 95 %% interval of %d seeds, last epoch', seeds) : 'one seed, last epoch'
set label 1 note . (has_choice ? '; framed: chosen on validation' : '') at graph 0, 1 offset 0, 0.8 left font ',13' \
    textcolor rgb '#505050'

if (has_choice) {
    x = chosen_column
    y = chosen_row
    set object 1 rectangle from x - 0.475, y - 0.46 to x + 0.475, y + 0.46 front fillstyle empty border rgb '#ffffff' lw 8
    set object 2 rectangle from x - 0.475, y - 0.46 to x + 0.475, y + 0.46 front fillstyle empty border rgb '#000000' lw 4
}

do for [kind in 'svg png'] {
    if (kind eq 'svg') { set terminal svg size 1200, 800 font 'Helvetica,15' background '#ffffff' linewidth 1.2 }
    else { set terminal pngcairo size 1200, 800 font 'Sans,12' background '#ffffff' linewidth 1.4 }
    set output sprintf('%s.%s', output, kind)
    plot for [k = 1 : missing] data skip 1 using (known(5) ? NaN : $1):2:(0.49):(0.485) with boxxyerror \
             fillcolor rgb '#c0c0c0' fillstyle pattern 4 noborder, \
         data skip 1 using (known(5) ? $1 : NaN):2:(0.49):(0.485):5 with boxxyerror \
             fillcolor palette fillstyle solid 1.0 noborder, \
         data skip 1 using (known(5) ? $1 : NaN):($2 - 0.12):(sprintf('{/:Bold %.2f}', $5)):(ink($5)) \
             with labels font sprintf(',%d', size) textcolor rgb variable, \
         data skip 1 using (known(5) ? $1 : NaN):($2 + 0.2):($8 == 1 ? '= scratch' : \
             sprintf('%s%s', known(6) ? sprintf('± %.2f', real(strcol(6))) : '', \
                     strcol(7) eq 'BEATS' ? '  beats scratch' : strcol(7) eq 'NO BEATS' ? '  above scratch' : '')):(ink($5)) \
             with labels font sprintf(',%d', size - 5) textcolor rgb variable
    unset output
}

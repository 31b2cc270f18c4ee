# attention.gp - where networks look: test images and the maps at the end of each stage.
#
#   gnuplot runs/compare-cifar10/attention.set plots/attention.gp
#
# data: column, row, size, x, y, red, green, blue; columns: column, network, stage. The .set file says
# data, columns, output, experiment.

set datafile separator comma
set encoding utf8
stats data skip 1 using 1 name 'c' nooutput
stats data skip 1 using 2 name 'r' nooutput
across = int(c_max) + 1
down = int(r_max) + 1
# A map of any size fills a square of 0.94; a cell is a small square within it.
cell(size) = 0.94 / size
wide = 90 + 88 * across
high = 130 + 88 * down
set title sprintf('%s: where networks look', experiment) \
    noenhanced font ',15' offset 0, 2.6
set xrange [0 : across]
set yrange [down : 0]
unset tics
unset border
unset key
set lmargin 2
set rmargin 2
set tmargin 7
set bmargin 1
set style fill solid 1.0 border
do for [kind in 'svg png'] {
    if (kind eq 'svg') { set terminal svg size wide, high font 'Helvetica,12' background '#ffffff' }
    else { set terminal pngcairo size wide, high font 'Sans,9' background '#ffffff' }
    set output sprintf('%s.%s', output, kind)
    plot data skip 1 using ($1 + 0.03 + ($4 + 0.5) * cell($3)):($2 + 0.03 + ($5 + 0.5) * cell($3)): \
             (0.52 * cell($3)):(0.52 * cell($3)):(65536 * $6 + 256 * $7 + $8) with boxxyerror lc rgb variable, \
         columns skip 1 using ($1 + 0.5):(0):(strcol(3) eq '-' ? strcol(2) : sprintf("%s\n%s", strcol(2), strcol(3))) with labels \
             offset 0, 1.9 font ',11' noenhanced
    unset output
}

# gradients.gp - how hard each term of each loss pulls at the student.
#
#   gnuplot runs/compare-mnist/gradients.set plots/gradients.gp
#
# data: league-terms.csv: row, term, value, gradient, logit_gradient. The .set file says data, output,
# experiment, lines, names[].

set datafile separator comma
set encoding utf8
set title sprintf('%s: length of each weighted term''s gradient', experiment) noenhanced font ',20' offset 0, 0.3
set xlabel "over the student's parameters, first step of each epoch, mean over epochs and seeds" font ',15' offset 0, -0.3
set logscale x
set format x '%g'
set border 1 lw 1.5 lc rgb '#404040'
set xtics nomirror out font ',14'
unset ytics
set grid xtics lc rgb '#e0e0e0' lt 1 lw 1
set lmargin 26
set rmargin 4
set tmargin 3.5
set bmargin 4.5
unset key
line_of(name) = (at = 0, sum [i = 1 : lines] (names[i] eq name ? i : 0))
# A row's terms are named above and below its line in turn, so that neighbours stay apart.
row_before = ''
above = 1
side(row) = (above = row eq row_before ? -above : 1, row_before = row, 0.33 * above)
set yrange [0.4 : lines + 0.6]
do for [i = 1 : lines] {
    set label 100 + i names[i] at graph 0, first lines + 1 - i offset -1, 0 right noenhanced font ',14'
    set arrow 100 + i from graph 0, first lines + 1 - i to graph 1, first lines + 1 - i nohead lw 0.6 lc rgb '#d0d0d0' back
}
height = 140 + 36 * lines
do for [kind in 'svg png'] {
    if (kind eq 'svg') { set terminal svg size 1200, height font 'Helvetica,14' background '#ffffff' linewidth 1.2 }
    else { set terminal pngcairo size 1200, height font 'Sans,11' background '#ffffff' linewidth 1.4 }
    set output sprintf('%s.%s', output, kind)
    plot data skip 1 using ($4 > 0 ? $4 : NaN):(lines + 1 - line_of(strcol(1))) with points pt 7 ps 1.3 \
             lc rgb '#12355b', \
         data skip 1 using ($4 > 0 ? $4 : NaN):(lines + 1 - line_of(strcol(1)) + side(strcol(1))):2 with labels \
             font ',11' noenhanced textcolor rgb '#404040'
    unset output
}

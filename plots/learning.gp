# learning.gp - validation accuracy by epoch, a line for each method.
#
#   gnuplot runs/compare-mnist/learning.set plots/learning.gp
#
# data: learning.csv, a column for each line of the league table. The .set file says data, output,
# experiment, seeds, lines, names[].

array colours[8] = ['#12355b', '#c1440e', '#2a9d8f', '#8f6bb3', '#e9a82b', '#6b705c', '#d4708f', '#4f8fd0']
set datafile separator comma
set encoding utf8
set title sprintf('%s: validation accuracy by epoch', experiment) noenhanced font ',20' offset 0, 0.3
set xlabel 'epoch' font ',16' offset 0, -0.3
set ylabel 'validation accuracy, %' font ',16' offset -1.5, 0
set border 3 lw 1.5 lc rgb '#404040'
set tics nomirror out font ',14'
set grid ytics lc rgb '#e0e0e0' lt 1 lw 1
set lmargin 12
set rmargin 32
set tmargin 4.5
set bmargin 4.5
set key outside right top vertical maxrows 30 noenhanced font ',13' samplen 2.5 spacing 1.05
set label 1 sprintf('mean of %d seeds; epochs of a first stage are in it', seeds) \
    at graph 0, 1 offset 0, 1 left font ',13' textcolor rgb '#505050'
scratch_line = 0
do for [i = 1 : lines] { if (names[i] eq 'scratch') { scratch_line = i } }
# The first epochs are far below: the picture begins where the last three quarters of the lowest line lie.
low = 1e9
high = -1e9
do for [i = 1 : lines] {
    stats data skip 1 using i + 1 nooutput
    if (STATS_records > 0) {
        low = STATS_lo_quartile < low ? STATS_lo_quartile : low
        high = STATS_max > high ? STATS_max : high
    }
}
if (low >= high) { low = high - 1 }
floor_ = low - 0.3 * (high - low)
set yrange [floor_ > 0 ? floor_ : 0 : high + 0.05 * (high - low)]
do for [kind in 'svg png'] {
    if (kind eq 'svg') { set terminal svg size 1200, 800 font 'Helvetica,14' background '#ffffff' linewidth 1.2 }
    else { set terminal pngcairo size 1200, 800 font 'Sans,11' background '#ffffff' linewidth 1.4 }
    set output sprintf('%s.%s', output, kind)
    plot for [i = 1 : lines] data skip 1 using 1:(column(i + 1)) with linespoints \
        lw (i == scratch_line ? 4 : 1.8) ps 0.7 pt (i - 1) % 12 + 4 dt 1 + (i - 1) / 8 \
        lc rgb (i == scratch_line ? '#000000' : colours[(i - 1) % 8 + 1]) title names[i]
    unset output
}

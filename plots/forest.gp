# forest.gp - gain of each method over the scratch student of the same seed, with 95 % intervals.
#
#   gnuplot runs/compare-mnist/forest.set plots/forest.gp
#
# data: league.csv. The .set file says data, output, experiment, seeds, lines, names[].

set datafile separator comma
set encoding utf8

rows = lines - 1
set title sprintf('%s: gain over the student trained on labels alone', experiment) noenhanced font ',20' offset 0, 0.3
set xlabel 'gain in test accuracy, percentage points' font ',16' offset 0, -0.3
set border 1 lw 1.5 lc rgb '#404040'
set xtics nomirror out font ',14'
unset ytics
set grid xtics lc rgb '#e0e0e0' lt 1 lw 1
set lmargin 28
set rmargin 26
set tmargin 4.5
set bmargin 4.5
unset key
set arrow 1 from 0, graph 0 to 0, graph 1 nohead lw 2 lc rgb '#404040' back
set label 1 sprintf('after the last epoch; mean of %d seeds, paired; bars: 95 %% intervals', seeds) \
    at graph 0, 1 offset 0, 1 left font ',13' textcolor rgb '#505050'

# Scratch has no gain: the lines behind it move up by one.
scratch_line = 0
n = 0
do for [i = 1 : lines] {
    if (names[i] eq 'scratch') { scratch_line = i }
    else { n = n + 1; set label 100 + n names[i] at graph 0, first rows + 1 - n offset -1.5, 0 right noenhanced font ',15' }
}
place(rank) = rows + 1 - (rank < scratch_line ? rank : rank - 1)
colour(verdict) = verdict eq 'BEATS' ? 0x2a7f62 : verdict eq 'NO BEATS' ? 0xb3372b : 0x6b705c
known(gain) = strlen(strcol(gain)) > 0
wide(half) = strlen(strcol(half)) > 0 ? 100 * column(half) : 0

# The picture holds the intervals; a row far from the others does not squeeze them: an arrow points to where it
# is, and its number at the right says how far.
gain(x) = known(12) ? 100 * x : NaN
stats data skip 1 every ::0::lines - 1 using (gain(column(12))) name 'g' nooutput
stats data skip 1 every ::0::lines - 1 using (gain(column(12)) - wide(13)) name 'low' nooutput
stats data skip 1 every ::0::lines - 1 using (gain(column(12)) + wide(13)) name 'high' nooutput
room = 2.5 * (g_up_quartile - g_lo_quartile) + 0.1
left = low_min > g_lo_quartile - room ? low_min : g_lo_quartile - room
right = high_max < g_up_quartile + room ? high_max : g_up_quartile + room
left = left < 0 ? left : 0
right = right > 0 ? right : 0
span = right > left ? right - left : 1
set yrange [0.3 : rows + 0.7] # after stats, which leaves out what is not in it
set xrange [left - 0.05 * span : right + 0.05 * span]

beyond(gain) = known(gain) && (100 * column(gain) < left - 0.05 * span || 100 * column(gain) > right + 0.05 * span)
outwards(gain) = 100 * column(gain) < left ? -0.08 * span : 0.08 * span
tail_of(gain) = 100 * column(gain) < left ? left + 0.04 * span : right - 0.04 * span
height = 150 + 34 * rows
do for [kind in 'svg png'] {
    if (kind eq 'svg') { set terminal svg size 1200, height font 'Helvetica,14' background '#ffffff' linewidth 1.2 }
    else { set terminal pngcairo size 1200, height font 'Sans,11' background '#ffffff' linewidth 1.4 }
    set output sprintf('%s.%s', output, kind)
    plot data skip 1 every ::0::lines - 1 using (known(12) ? 100 * column(12) : NaN):(place($1)): \
             (wide(13)):(colour(strcol(16))) with xerrorbars lw 2.4 pt 7 ps 1.3 lc rgb variable, \
         data skip 1 every ::0::lines - 1 using (beyond(12) ? tail_of(12) : NaN):(place($1)):(outwards(12)):(0): \
             (colour(strcol(16))) with vectors filled size screen 0.012, 25 lw 2.4 lc rgb variable, \
         data skip 1 every ::0::lines - 1 using (known(12) ? right + 0.05 * span : NaN):(place($1)): \
             (sprintf('%+.2f  %s', 100 * column(12), strcol(16))) with labels left offset 1.5, 0 font ',13' noenhanced
    unset output
}

# ensemble.gp - members alone and together, and one student distilled from them.
#
#   gnuplot runs/demo/ensemble.set plots/ensemble.gp
#
# data: at, part (0 member, 1 together, 2 scratch, 3 distilled), error, half, share, share_low, share_high, in per
# cent. The .set file says data, output, experiment, seeds, members, bars, names[], last (the last bar's place),
# groups[], group_at[], group_count.

set datafile separator comma
set encoding utf8

known(c) = strlen(strcol(c)) > 0
half(c) = known(c) ? real(strcol(c)) : 0
stats data skip 1 using ($3 + half(4)) nooutput
top = STATS_max > 0 ? 1.3 * STATS_max : 1
colour(p) = p == 0 ? 0xa9b8c9 : p == 1 ? 0x12355b : p == 2 ? 0xb0b0b0 : 0xc1440e
error(i) = known(4) ? sprintf('%.2f ± %.2f', $3, half(4)) : sprintf('%.2f', $3)
share(i) = !known(5) ? '' : known(6) ? sprintf('%.0f %%  (%.0f to %.0f)', $5, $6, $7) : \
    sprintf(seeds > 1 ? '%.0f %%  (open)' : '%.0f %%', $5)
longest = 0
do for [i = 1 : bars] { longest = strlen(names[i]) > longest ? strlen(names[i]) : longest }
high = 215 + int(46 * last)

set label 3 sprintf('%s: %d members, and one student of theirs', experiment, members) noenhanced at screen 0.5, graph 1 \
    offset 0, 3.4 center font ',20'
set xlabel 'test error, %' font ',17' offset 0, -0.3
set xrange [0 : top]
set yrange [last + 0.7 : 0.3]
set border 1 lw 1.5 lc rgb '#404040'
set tics nomirror out
set xtics font ',15'
set ytics scale 0 font ',15' noenhanced
set grid xtics lc rgb '#d8d8d8' lt 1 lw 1
unset key
set lmargin 4 + 1.1 * longest
set rmargin 29
set tmargin 6
set bmargin 4.5
note = seeds > 1 ? sprintf('last epoch; 95 %% intervals over members and over %d seeds', seeds) : 'last epoch'
set label 1 note at graph 0, 1 offset 0, 0.9 left font ',13' textcolor rgb '#505050'
set label 2 "of the gain of the members\ntogether over scratch it keeps" at graph 1, 1 offset 1, 1.9 left font ',13' textcolor rgb '#505050'
do for [g = 1 : group_count] {
    set label 10 + g groups[g] noenhanced at 0, group_at[g] offset 0.5, 0 left font ',16'
}

do for [kind in 'svg png'] {
    if (kind eq 'svg') { set terminal svg size 1200, high font 'Helvetica,15' background '#ffffff' linewidth 1.2 }
    else { set terminal pngcairo size 1200, high font 'Sans,12' background '#ffffff' linewidth 1.4 }
    set output sprintf('%s.%s', output, kind)
    plot data skip 1 using (0.5 * $3):1:(0.5 * $3):(0.36):(colour($2)):ytic(names[int($0) + 1]) with boxxyerror \
             fillcolor rgb variable fillstyle solid 1.0 noborder, \
         data skip 1 using (known(4) ? $3 - half(4) : NaN):1:(2 * half(4)):(0) with vectors heads size graph 0.004, 90 \
             lw 2 lc rgb '#000000', \
         data skip 1 using ($3 + half(4)):1:(error(0)) with labels left offset 1, 0 font ',15', \
         data skip 1 using (top):1:(share(0)) with labels left offset 1, 0 font ',15'
    unset output
}

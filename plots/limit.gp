# limit.gp - what the soft term's gradient becomes at high temperature, and what training measured.
#
#   gnuplot runs/demo/limit.set plots/limit.gp
#
# data: T, swept, soft, soft_times_T2, hard, cosine, ratio, examples; trained: row, facet, line, alpha, T, term, trials,
# first, its half, middle, its half. The .set file says data, trained, output, experiment, seeds, student, part, examples,
# target, swept_low, swept_high, row, terms (0: no third panel), term[].

array colours[6] = ['#12355b', '#c1440e', '#2a9d8f', '#8f6bb3', '#d99a1c', '#6b705c']

set datafile separator comma
set encoding utf8

panels = terms > 0 ? 3 : 2
wide = terms > 0 ? 1700 : 1200
array left3[3] = [0.058, 0.395, 0.728]
array left2[3] = [0.08, 0.58, 0]
left(p) = panels == 3 ? left3[p] : left2[p]
right(p) = left(p) + (panels == 3 ? 0.262 : 0.39)
known(c) = strlen(strcol(c)) > 0
swept(c) = $2 == 1 ? column(c) : NaN
positive(c) = strlen(strcol(c)) > 0 && column(c) > 0 ? column(c) : NaN
below(c, h) = strlen(strcol(h)) > 0 ? (column(c) - column(h) > 0.3 * column(c) ? column(c) - column(h) : 0.3 * column(c)) : column(c)
above(c, h) = strlen(strcol(h)) > 0 ? column(c) + column(h) : column(c)
array note[3] = ['soft term over the logits, as the network stands', 'its direction and length against (z̃ - ṽ) / K', \
    'training: weighted terms over the parameters']
array heading[3] = ['gradient length', 'towards the limit', 'gradient length']
set samples 2
towards_low = 0
towards_high = 1.05
do for [c = 6 : 7] {
    stats data skip 1 using (known(c) ? column(c) : NaN) nooutput
    if (STATS_records > 0 && STATS_min < towards_low) { towards_low = STATS_min }
    if (STATS_records > 0 && STATS_max > towards_high) { towards_high = STATS_max }
}

do for [kind in 'svg png'] {
    if (kind eq 'svg') { set terminal svg size wide, 760 font 'Helvetica,15' background '#ffffff' linewidth 1.2 }
    else { set terminal pngcairo size wide, 760 font 'Sans,12' background '#ffffff' linewidth 1.4 }
    set output sprintf('%s.%s', output, kind)
    set multiplot
    do for [p = 1 : panels] {
        reset
        set datafile separator comma
        set lmargin at screen left(p)
        set rmargin at screen right(p)
        set tmargin at screen 0.81
        set bmargin at screen 0.305
        set border 3 lw 1.5 lc rgb '#404040'
        set tics nomirror out font ',14'
        set grid lc rgb '#e4e4e4' lt 1 lw 1
        set logscale x
        set xrange [0.45 : 1100]
        set xtics (0.5, 1, 2, 5, 10, 20, 50, 100, '' 200, '' 500, 1000)
        set xlabel 'temperature T' font ',16' offset 0, 0.2
        set ylabel heading[p] font ',16' offset (p == 2 ? 0.5 : -0.5), 0
        set samples 2
        set key at screen 0.5 * (left(p) + right(p)), 0.2 center top vertical Left reverse noenhanced font ',13' samplen 3 spacing 1.2 noautotitle
        if (p == 1) {
            set label 10 sprintf('%s: soft targets at high temperature', experiment) noenhanced at screen 0.5, 0.955 center font ',20'
            set label 11 sprintf('%s and its teacher, %d %s examples; dots: temperatures of the sweep', student, examples, part) noenhanced \
                at screen 0.5, 0.905 center font ',13' textcolor rgb '#505050'
        }
        set label 12 note[p] at graph 0, 1.04 left font ',14' textcolor rgb '#404040'
        if (p == 1) {
            set logscale y
            set format y '10^{%L}'
            plot target with lines lw 1.5 dt '.' lc rgb '#12355b' title 'mean ‖z̃ - ṽ‖ / K', \
                 data skip 1 using 1:(positive(5)) with lines lw 2 dt '-' lc rgb '#707070' title 'hard term (labels)', \
                 data skip 1 using 1:(positive(3)) with lines lw 2.2 dt '_' lc rgb '#c1440e' title 'soft term', \
                 data skip 1 using 1:(swept(3)) with points pt 5 ps 1.1 lc rgb '#c1440e', \
                 data skip 1 using 1:(positive(4)) with lines lw 2.2 lc rgb '#12355b' title 'soft term times T²', \
                 data skip 1 using 1:(swept(4)) with points pt 7 ps 1.2 lc rgb '#12355b'
        }
        if (p == 2) {
            set format y '%.1f'
            set yrange [towards_low : towards_high]
            plot 1 with lines lw 1.5 dt '.' lc rgb '#000000' title 'the limit', \
                 data skip 1 using 1:7 with lines lw 2.2 dt '_' lc rgb '#2a9d8f' title 'length times T², relative', \
                 data skip 1 using 1:(swept(7)) with points pt 5 ps 1.1 lc rgb '#2a9d8f', \
                 data skip 1 using 1:6 with lines lw 2.2 lc rgb '#12355b' title 'cosine', \
                 data skip 1 using 1:(swept(6)) with points pt 7 ps 1.2 lc rgb '#12355b'
        }
        if (p == 3) {
            set logscale y
            set format y '%g'
            set xrange [swept_low / 1.25 : swept_high * 1.25]
            mine(t) = $1 == row && strcol(6) eq term[t] && strcol(5) ne 'inf'
            set datafile missing NaN # the rows of other terms stand between: lines go on over them
            plot for [t = 1 : terms] trained skip 1 using (mine(t) ? $5 : NaN):(positive(8)):(below(8, 9)):(above(8, 9)) \
                     with yerrorbars lw 1.3 ps 0 pt 7 lc rgb colours[(t - 1) % 6 + 1], \
                 for [t = 1 : terms] trained skip 1 using (mine(t) ? $5 : NaN):(positive(8)) with linespoints lw 2.2 ps 1.2 pt 7 \
                     lc rgb colours[(t - 1) % 6 + 1] title sprintf('%s, first epoch', term[t]), \
                 for [t = 1 : terms] trained skip 1 using (mine(t) ? $5 * 1.03 : NaN):(positive(10)):(below(10, 11)):(above(10, 11)) \
                     with yerrorbars lw 1.3 ps 0 pt 6 lc rgb colours[(t - 1) % 6 + 1], \
                 for [t = 1 : terms] trained skip 1 using (mine(t) ? $5 * 1.03 : NaN):(positive(10)) with linespoints lw 2.2 dt '-' ps 1.2 pt 6 \
                     lc rgb colours[(t - 1) % 6 + 1] title sprintf('%s, middle epoch', term[t])
        }
    }
    unset multiplot
    unset output
}

# dark-knowledge.gp - test examples and what the teacher says of them at several temperatures.
#
#   gnuplot runs/demo/dark-knowledge.set plots/dark-knowledge.gp
#
# data: example, class, truth, second, images (1: this example has a picture), then p at T = 1, 2, 4, 8,
# 20; images: example, x, y, red, green, blue. The .set file says data, images, output, experiment.

set datafile separator comma
set encoding utf8

stats data skip 1 using 1 nooutput
examples = int(STATS_max) + 1
stats data skip 1 using 2 nooutput
classes = int(STATS_max) + 1
array truth[examples]
array second[examples]
array pictured[examples]
do for [e = 1 : examples] {
    stats data skip 1 using ($1 == e - 1 ? $3 : NaN) nooutput
    truth[e] = int(STATS_max)
    stats data skip 1 using ($1 == e - 1 ? $4 : NaN) nooutput
    second[e] = int(STATS_max)
    stats data skip 1 using ($1 == e - 1 ? $5 : NaN) nooutput
    pictured[e] = int(STATS_max)
}
pixels = 0
if (pictured[1]) {
    stats images skip 1 using 1 nooutput
    pixels = int(STATS_records) / examples
}
array temperatures[5] = [1, 2, 4, 8, 20]

# Margins of the grid, as parts of the picture.
tall = 172 * examples + 220
left = 0.19
right = 0.985
top = 1 - 130.0 / tall
bottom = 90.0 / tall
gap_x = 0.012
gap_y = 34.0 / tall
wide = (right - left - 4 * gap_x) / 5
high = (top - bottom - (examples - 1) * gap_y) / examples

# The two numbers of neighbouring bars move apart.
apart(e) = abs(truth[e] - second[e])
push(e) = classes > 12 ? 0 : apart(e) == 1 ? 0.7 : apart(e) == 2 ? 0.3 : 0
# That of the first class keeps off the axis.
aside(e, k) = ((k == truth[e]) == (truth[e] > second[e]) ? push(e) : -push(e)) + (k == 0 && classes <= 12 ? 0.4 : 0)
colour(e, k) = k == truth[e] ? 0x12355b : k == second[e] ? 0xe07a1f : 0xb0b0b0

do for [kind in 'svg png'] {
    if (kind eq 'svg') { set terminal svg size 1200, tall font 'Helvetica,14' background '#ffffff' }
    else { set terminal pngcairo size 1200, tall font 'Sans,11' background '#ffffff' }
    set output sprintf('%s.%s', output, kind)
    set multiplot
    unset key
    do for [e = 1 : examples] {
        y_top = top - (e - 1) * (high + gap_y)
        # the example
        reset
        set datafile separator comma
        unset key; unset xtics; unset ytics; unset border; unset colorbox
        set tmargin at screen y_top
        set bmargin at screen y_top - high
        set lmargin at screen 0.015
        set rmargin at screen 0.120
        if (e == 1) {
            set label 10 sprintf("%s: what the teacher says of test examples", experiment) noenhanced \
                at screen 0.5, 1 - 34.0 / tall center font ',19'
            set label 11 'probability of each class, softmax of logits / T;   dark: the true class,   orange: the teacher''s second choice' \
                at screen 0.5, 1 - 75.0 / tall center font ',13' textcolor rgb '#505050'
            set label 12 'class' at screen 0.5 * (left + right), 30.0 / tall center font ',16'
        }
        if (pictured[e]) {
            set size ratio -1
            set autoscale xfix
            set yrange [*:*] reverse
            set autoscale yfix
            set label 20 sprintf('%d, perhaps %d', truth[e], second[e]) at graph 0.5, -0.09 center font ',13'
            plot images skip 1 every ::(e - 1) * pixels::(e * pixels - 1) using 2:3:4:5:6 with rgbimage
        } else {
            set xrange [0 : 1]
            set yrange [0 : 1]
            set label 20 sprintf("class %d,\nperhaps %d", truth[e], second[e]) at graph 0.5, 0.5 center font ',15'
            plot NaN
        }
        # the bars
        do for [t = 1 : 5] {
            reset
            set datafile separator comma
            unset key
            set tmargin at screen y_top
            set bmargin at screen y_top - high
            set lmargin at screen left + (t - 1) * (wide + gap_x)
            set rmargin at screen left + (t - 1) * (wide + gap_x) + wide
            set xrange [-0.9 : classes - 0.1]
            set yrange [0 : 1.12]
            set border 3 lw 1.2 lc rgb '#606060'
            set tics nomirror out scale 0.5
            set grid ytics lc rgb '#e0e0e0' lt 1
            set ytics 0, 0.5, 1 font ',13'
            set format y (t == 1 ? '%.1f' : '')
            if (classes <= 12) { set xtics 0, 1, classes - 1 font ',12' offset 0, 0.3 } else { set xtics font ',12' }
            if (e < examples) { set format x '' } else { set format x '%g' }
            if (e == 1) { set label 1 sprintf('T = %d', temperatures[t]) at graph 0.5, 1.1 center font ',16' }
            if (t == 1 && e == 1) { set label 2 'probability' at screen 0.143, y_top - 0.5 * high center rotate font ',13' }
            plot data skip 1 using ($1 == e - 1 ? $2 : NaN):(column(5 + t)):(0.8):(colour(e, int($2))) with boxes \
                     fillcolor rgb variable fillstyle solid 1.0 noborder, \
                 data skip 1 using ($1 == e - 1 && (int($2) == truth[e] || int($2) == second[e]) ? $2 + aside(e, int($2)) : NaN): \
                     (column(5 + t)): \
                     (column(5 + t) < 0.005 ? '<0.01' : sprintf('%.2f', column(5 + t))) \
                     with labels offset 0, 0.6 font ',11'
        }
    }
    unset multiplot
    unset output
}

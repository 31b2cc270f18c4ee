# shift.gp - test errors as the bias of classes that a student never sees is shifted.
#
#   gnuplot runs/demo/shift.set plots/shift.gp
#
# data: s, then mean, low and high of the errors, of those on unseen classes, and the same of scratch. The .set file
# says data, output, experiment, student, classes, lowers_seen, networks, examples, examples_unseen, prior (per cent),
# has_scratch, choice_s[4], choice_errors[4], choice_unseen[4] (as trained; matched to the prior on training images; on
# test images; tuned on test), s_low, s_high.

set datafile separator comma
set encoding utf8

array choice_names[4] = ['as trained', 'matched to the prior, training images', 'matched to the prior, test images', \
    'tuned on test (as in the paper)']
array choice_marks[4] = [6, 5, 9, 13]
array choice_colours[4] = ['#000000', '#2a9d8f', '#8f6bb3', '#e07a1f']

# No errors at all stand at half an error on the logarithmic axis.
positive(v) = v != v ? NaN : v > 0.5 ? v : 0.5
sign(s) = lowers_seen ? 0 - s : s
count_text(v) = v == floor(v) ? sprintf('%d', int(v)) : sprintf('%.1f', v)

set title sprintf('%s: shifting the bias of %s classes', experiment, lowers_seen ? 'the seen' : 'unseen') noenhanced \
    font ',20' offset 0, 1.1
note = sprintf('%s; %d of %d test examples are of unseen classes; prior %.2f %%; %s', student, examples_unseen, examples, \
    prior, networks > 1 ? sprintf('%d seeds, bands: 95 %% intervals', networks) : 'one seed')
set label 1 note noenhanced at graph 0, 1 offset 0.5, 0.8 left font ',13' textcolor rgb '#505050'
set xlabel lowers_seen ? sprintf('added to the bias of the classes it sees (%s), the same as taking it from the others', classes) \
    : sprintf('added to the bias of the classes it never sees (%s)', classes) noenhanced font ',17' offset 0, -0.3
set ylabel 'test errors (logarithmic)' font ',17' offset -2, 0
set border 3 lw 1.5 lc rgb '#404040'
set tics nomirror out
set xtics font ',15'
set logscale y
set ytics (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000) font ',15'
set ytics add ('0' 0.5)
set grid ytics lc rgb '#e0e0e0' lt 1 lw 1
set lmargin 13
set rmargin 4
set tmargin 5
set bmargin at screen 0.31
set key at screen 0.1, 0.015 bottom left Left reverse vertical maxrows 7 noenhanced font ',14' samplen 3 spacing 1.25 noautotitle

x_low = lowers_seen ? -s_high : s_low
x_high = lowers_seen ? -s_low : s_high
# Far out everything is wrong: the picture ends where the drawn part does.
within(s) = s >= s_low - 1e-9 && s <= s_high + 1e-9
stats data skip 1 using (within($1) ? positive($2) : NaN):(within($1) ? positive($5) : NaN) nooutput
least = STATS_min_y < STATS_min_x ? STATS_min_y : STATS_min_x
most = STATS_max_x > STATS_max_y ? STATS_max_x : STATS_max_y
if (has_scratch) {
    stats data skip 1 using (within($1) ? positive($8) : NaN) nooutput
    most = STATS_max > most ? STATS_max : most
}
set xrange [x_low : x_high]
set yrange [0.75 * least : 1.4 * most]

do for [c = 1 : 4] {
    set arrow c from sign(choice_s[c]), graph 0 to sign(choice_s[c]), graph 1 nohead lw 1.2 dt 3 lc rgb choice_colours[c]
}
keyed(c) = sprintf('%s%s: %s errors, %s on unseen', choice_names[c], \
    choice_s[c] == 0 ? '' : sprintf(', %+.2f', sign(choice_s[c])), count_text(choice_errors[c]), count_text(choice_unseen[c]))

bands = networks > 1
# gnuplot warns of curves without points.
control = ''
if (has_scratch) {
    control = "data skip 1 using (sign($1)):(positive($8)) with lines lw 1.8 dt '-' lc rgb '#808080' title 'scratch (labels alone): all errors',"
}
do for [kind in 'svg png'] {
    if (kind eq 'svg') { set terminal svg size 1200, 900 font 'Helvetica,15' background '#ffffff' linewidth 1.2 }
    else { set terminal pngcairo size 1200, 900 font 'Sans,12' background '#ffffff' linewidth 1.4 }
    set output sprintf('%s.%s', output, kind)
    plot for [b = 1 : bands] data skip 1 using (sign($1)):(positive($3)):(positive($4)) with filledcurves \
             fillcolor rgb '#12355b' fillstyle transparent solid 0.18 noborder, \
         for [b = 1 : bands] data skip 1 using (sign($1)):(positive($6)):(positive($7)) with filledcurves \
             fillcolor rgb '#c1440e' fillstyle transparent solid 0.18 noborder, \
         @control \
         data skip 1 using (sign($1)):(positive($2)) with lines lw 2.6 lc rgb '#12355b' title 'all errors', \
         data skip 1 using (sign($1)):(positive($5)) with lines lw 2.2 lc rgb '#c1440e' title 'errors on unseen classes', \
         for [c = 1 : 4] '+' every ::0::0 using (sign(choice_s[c])):(positive(choice_errors[c])) with points \
             pt choice_marks[c] ps 1.9 lw 2.5 lc rgb choice_colours[c] title keyed(c), \
         for [c = 1 : 4] '+' every ::0::0 using (sign(choice_s[c])):(positive(choice_unseen[c])) with points \
             pt choice_marks[c] ps 1.9 lw 2.5 lc rgb choice_colours[c]
    unset output
}

# widths.gp - test error against temperature, one line per width of the student, both axes logarithmic.
#
#   gnuplot runs/demo/widths.set plots/widths.gp
#
# data: equivalence.csv: row (of the picture), facet, line, alpha, T, at, seeds, error, half, ...; errors are parts of
# 1, T is "inf" for regression on the logits. The .set file says data, output, experiment, seeds, axis_name, xtics,
# x_low, x_high, temperatures, has_logits, lines, names[], scratch[], scratch_half[], last[] (in %), y_low, y_high.

array colours[10] = ['#12355b', '#c1440e', '#2a9d8f', '#8f6bb3', '#d99a1c', '#6b705c', '#d4708f', '#4f8fd0', '#7a3b1d', '#3f7d3f']
array marks[10] = [7, 5, 9, 13, 11, 4, 6, 8, 12, 10]

set datafile separator comma
set encoding utf8

span = log(x_high / x_low)
if (span <= 0) { span = log(4.0) }
# Left of the sweep stand the students of the labels alone, right of it those of the logits.
labels_at = x_low * exp(-0.13 * span)
logits_at = x_high * exp(0.13 * span)
from = x_low * exp(-0.19 * span)
to = has_logits ? x_high * exp(0.19 * span) : x_high * exp(0.05 * span)
has_scratch = 0
do for [i = 1 : lines] { if (scratch[i] == scratch[i]) { has_scratch = 1 } }
if (!has_scratch) { from = x_low * exp(-0.05 * span) }
# Lines stand a little beside each other, so that no bar hides another.
beside(x, i) = x * exp((i - 0.5 * (lines + 1)) * 0.004 * span)

# Names at the right end, kept apart: from the lowest upwards, each at least a step above the one before.
y_span = log(y_high / y_low)
apart = 0.042 * y_span
array order[lines]
array name_at[lines]
do for [i = 1 : lines] { order[i] = i; name_at[i] = last[i] == last[i] ? log(last[i]) : NaN }
do for [i = 1 : lines] {
    do for [j = 1 : lines - i] {
        a = order[j]; b = order[j + 1]
        if (name_at[a] > name_at[b] || (name_at[a] != name_at[a] && name_at[b] == name_at[b])) {
            order[j] = b; order[j + 1] = a
        }
    }
}
do for [j = 2 : lines] {
    if (name_at[order[j]] == name_at[order[j]] && name_at[order[j]] < name_at[order[j - 1]] + apart) {
        name_at[order[j]] = name_at[order[j - 1]] + apart
    }
}
# A stack of names that grew upwards moves back by half of its growth.
do for [j = 1 : lines] {
    i = order[j]
    if (name_at[i] == name_at[i]) {
        set label 100 + i names[i] noenhanced at graph 1, first exp(name_at[i]) offset 1.2, 0 left font ',14' \
            textcolor rgb colours[(i - 1) % 10 + 1]
    }
}

set title sprintf('%s: test error against temperature', experiment) noenhanced font ',20' offset 0, 0.3
set xlabel 'temperature T' font ',17' offset 0, -0.3
set ylabel 'test error, %' font ',17' offset -1.5, 0
set logscale xy
set xrange [from : to]
set yrange [y_low : y_high]
set format y '%g'
if (y_high / y_low > 8) { set ytics (0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 4, 5, 7, 10, 15, 20, 30, 50, 70, 100) } \
else { if (y_high / y_low > 2) {
    set ytics (0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1, 1.2, 1.5, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 10, 12, 15, 20, \
        25, 30, 40, 50, 60, 80, 100)
} else { set ytics auto; set ytics 0, (y_high > 20 ? 5 : y_high > 5 ? 1 : y_high > 2 ? 0.2 : y_high > 1 ? 0.1 : 0.05) } }
set grid ytics lc rgb '#e0e0e0' lt 1 lw 1
set border 3 lw 1.5 lc rgb '#404040'
set tics nomirror out
set xtics font ',14'
set ytics font ',15'
unset mxtics
unset mytics
set lmargin 12
set rmargin 25
set bmargin 5
set tmargin 3.5
unset key
if (has_scratch) { set xtics add ("labels\nalone" labels_at) }
if (has_logits) { set xtics add ("logits\n(T = ∞)" logits_at) }
if (axis_name ne '') { set label 1 axis_name noenhanced at graph 1, 1 offset 1.2, 0.8 left font ',15' textcolor rgb '#404040' }
note = seeds > 1 ? sprintf('mean of %d seeds, 95 %% intervals, last epoch', seeds) : 'one seed, last epoch: no intervals'
if (has_scratch) { note = note . '; dotted: the student of the labels alone' }
set label 2 note at graph 0, 1 offset 0.5, 0.8 left font ',13' textcolor rgb '#505050'

known(c) = strlen(strcol(c)) > 0
mine(i) = $1 == i && known(8) && strcol(5) ne 'inf'
end(i) = $1 == i && known(8) && strcol(5) eq 'inf'
half(c) = known(c) ? 100 * column(c) : 0
# A bar that reaches 0 or less has no lower end on this axis.
low(y, h) = y - h > y_low ? y - h : y_low
colour(i) = (i - 1) % 10 + 1
bar(i) = scratch_half[i] == scratch_half[i] ? scratch_half[i] : 0
set samples 2

do for [kind in 'svg png'] {
    if (kind eq 'svg') { set terminal svg size 1200, 860 font 'Helvetica,15' background '#ffffff' linewidth 1.2 }
    else { set terminal pngcairo size 1200, 860 font 'Sans,12' background '#ffffff' linewidth 1.4 }
    set output sprintf('%s.%s', output, kind)
    plot for [i = 1 : lines] scratch[i] with lines lw 1.1 dt '.' lc rgb colours[colour(i)], \
         for [i = 1 : lines] data skip 1 using (mine(i) ? beside($5, i) : NaN):(100 * $8):(low(100 * $8, half(9))): \
             (100 * $8 + half(9)) with yerrorbars lw 1.5 ps 0 pt 7 lc rgb colours[colour(i)], \
         for [i = 1 : lines] data skip 1 using (mine(i) ? beside($5, i) : 1/0):(100 * $8) with linespoints lw 2.2 ps 1.4 \
             pt marks[colour(i)] lc rgb colours[colour(i)], \
         for [i = 1 : lines] '+' every ::0::0 using (beside(labels_at, i)):(scratch[i]):(low(scratch[i], bar(i))):(scratch[i] + bar(i)) \
             with yerrorbars lw 1.5 ps 1.4 pt marks[colour(i)] lc rgb colours[colour(i)], \
         for [i = 1 : lines] data skip 1 using (end(i) ? beside(logits_at, i) : NaN):(100 * $8):(low(100 * $8, half(9))): \
             (100 * $8 + half(9)) with yerrorbars lw 1.5 ps 1.4 pt marks[colour(i)] lc rgb colours[colour(i)]
    unset output
}

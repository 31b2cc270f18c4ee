# temperature.gp - test accuracy against temperature, one line per alpha.
#
#   gnuplot runs/demo/temperature.set plots/temperature.gp
#
# The .set file says what to draw: data, output, experiment, axis_name, log_axis, x_low, x_high, y_low,
# y_high, xtics, teacher, teacher_inside, scratch, scratch_half, names[], shown, chosen_line (0: none),
# chosen_row, seeds.

array colours[8] = ['#12355b', '#c1440e', '#2a9d8f', '#8f6bb3', '#e9a82b', '#6b705c', '#d4708f', '#4f8fd0']
array marks[8] = [7, 5, 9, 13, 11, 4, 6, 8]
array dashes[8] = [1, 2, 4, 5, 3, 1, 2, 4]

set datafile separator comma
set encoding utf8

x_span = log_axis ? log(x_high / x_low) : x_high - x_low
if (x_span <= 0) { x_span = log_axis ? log(4.0) : 1.0 }
edge = 0.06 * x_span
from = log_axis ? x_low * exp(-edge) : x_low - edge
to = log_axis ? x_high * exp(edge) : x_high + edge
# Lines stand a little beside each other, so that no bar hides another.
count = words(shown)
shift(i) = (i - 0.5 * (count + 1)) * 0.011 * x_span
beside(x, i) = log_axis ? x * exp(shift(i)) : x + shift(i)
number(i) = int(word(shown, i))

has_teacher = (teacher == teacher)
has_scratch = (scratch == scratch)
y_span = y_high - y_low

# Labels of the two rules, right of the picture, kept apart.
apart = 0.055 * y_span
scratch_at = scratch
teacher_at = teacher
if (has_teacher && teacher_inside && has_scratch && abs(teacher - scratch) < apart) {
    sign = teacher >= scratch ? 1 : -1
    middle = 0.5 * (teacher + scratch)
    teacher_at = middle + sign * 0.5 * apart
    scratch_at = middle - sign * 0.5 * apart
}

set title sprintf('%s: test accuracy after the last epoch', experiment) noenhanced font ',20' offset 0, 0.3
set xlabel axis_name noenhanced font ',17' offset 0, -0.3
set ylabel 'test accuracy, %' font ',17' offset -1.5, 0
set format y '%.1f'
if (y_span < 1.2) { set format y '%.2f' }
if (log_axis) { set logscale x }
set xrange [from : to]
set yrange [y_low : y_high]
set grid ytics lc rgb '#d8d8d8' lt 1 lw 1
set border 3 lw 1.5 lc rgb '#404040'
set tics nomirror out
set xtics font ',15'
set ytics font ',15'
set lmargin 12
set rmargin 23
set bmargin 5.5 + 1.7 * ceil(count / 5.0)
set tmargin 3.5
set key outside below center horizontal maxcols 5 noenhanced font ',15' samplen 4 spacing 1.3 width 2 noautotitle

if (has_scratch) {
    if (scratch_half > 0) {
        set object 1 rectangle from from, (scratch - scratch_half > y_low ? scratch - scratch_half : y_low) \
            to to, (scratch + scratch_half < y_high ? scratch + scratch_half : y_high) \
            behind fillcolor rgb '#e8e8e8' fillstyle solid 1.0 noborder
    }
    set label 1 sprintf("scratch %.2f %%", scratch) at to, scratch_at offset 1, 0 left font ',15' \
        textcolor rgb '#404040' point pt -1
}
if (has_teacher && teacher_inside) {
    set label 2 sprintf("teacher %.2f %%", teacher) at to, teacher_at offset 1, 0 left font ',15' textcolor rgb '#000000'
}
if (has_teacher && !teacher_inside) {
    set label 2 sprintf("teacher %.2f %%\n(%s this picture)", teacher, teacher > y_high ? 'above' : 'below') \
        at to, (teacher > y_high ? y_high - 0.03 * y_span : y_low + 0.08 * y_span) offset 1, 0 left font ',15' \
        textcolor rgb '#000000'
}
note = seeds > 1 ? sprintf('mean of %d seeds; bars and grey band: 95 %% intervals', seeds) : 'one seed: no intervals'
if (chosen_line > 0) { note = note . '; ring: chosen on validation' }
set label 3 note at graph 0, 1 offset 0.5, 0.8 left font ',13' textcolor rgb '#505050'

teacher_y = (has_teacher && teacher_inside) ? teacher : NaN
scratch_y = has_scratch ? scratch : NaN
set samples 2

do for [kind in 'svg png'] {
    if (kind eq 'svg') { set terminal svg size 1200, 800 font 'Helvetica,15' background '#ffffff' linewidth 1.2 }
    else { set terminal pngcairo size 1200, 800 font 'Sans,12' background '#ffffff' linewidth 1.4 }
    set output sprintf('%s.%s', output, kind)
    plot teacher_y with lines lw 2.2 dt '-' lc rgb '#000000' notitle, \
         scratch_y with lines lw 2.2 lc rgb '#707070' notitle, \
         for [i = 1 : count] data skip 1 \
             using (beside($1, i)):(column(3 * number(i) - 1)):(column(3 * number(i))):(column(3 * number(i) + 1)) \
             with yerrorbars lw 1.6 ps 0 pt 7 dt 1 lc rgb colours[(i - 1) % 8 + 1] notitle, \
         for [i = 1 : count] data skip 1 using (beside($1, i)):(column(3 * number(i) - 1)) \
             with linespoints lw 2.2 ps 1.6 pt marks[(i - 1) % 8 + 1] dt dashes[(i - 1) % 8 + 1] \
             lc rgb colours[(i - 1) % 8 + 1] title names[number(i)], \
         for [i = 1 : count] data skip 1 using (number(i) == chosen_line && $0 == chosen_row ? beside($1, i) : NaN): \
             (column(3 * number(i) - 1)) with points pt 6 ps 3.2 lw 2 lc rgb '#000000' notitle
    unset output
}

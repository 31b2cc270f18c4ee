# curves.gp - validation error by epoch: teacher, scratch student, best distilled student.
#
#   gnuplot runs/demo/curves.set plots/curves.gp
#
# The .set file says what to draw: data, output, experiment, student_name, has_student, has_teacher,
# has_scratch, teachers, floor_value (what stands for no errors at all on the logarithmic axis), seeds.

set datafile separator comma
set encoding utf8

set title sprintf('%s: learning curves', experiment) noenhanced font ',20' offset 0, 0.3
set xlabel 'epoch' font ',17' offset 0, -0.3
set ylabel 'validation error, %' font ',17' offset -1.5, 0
set logscale y
set ytics (0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 4, 5, 7, 10, 15, 20, 30, 50, 70, 100) font ',15'
set xtics font ',15'
set format y '%g'
set grid ytics lc rgb '#d8d8d8' lt 1 lw 1
set border 3 lw 1.5 lc rgb '#404040'
set tics nomirror out
set lmargin 11
set rmargin 4
set bmargin 5
set tmargin 3.5
# Curves fall from the upper left, so the upper right is free.
set key inside top right vertical opaque box lc rgb '#d0d0d0' noenhanced font ',15' samplen 4 spacing 1.3 width 1 \
    height 0.5 Right noautotitle
note = seeds > 1 ? sprintf('mean of %d seeds; bands: from the lowest to the highest seed; logarithmic axis', seeds) \
                 : 'one seed; logarithmic axis'
set label 1 note at graph 0, 1 offset 0.5, 0.8 left font ',13' textcolor rgb '#505050'

# NaN (a group that is finished already) stays NaN.
positive(v) = v != v ? NaN : v > floor_value ? v : floor_value
teacher_title = teachers > 1 ? sprintf('teachers (mean of %d)', teachers) : 'teacher'
scratch_title = 'scratch student (labels alone)'
stats data skip 1 using 1 nooutput
last = STATS_max
y_low = 100
y_high = 0
do for [group = 0 : 2] {
    if (group == 0 ? has_teacher : group == 1 ? has_scratch : has_student) {
        stats data skip 1 using (positive(column(3 + 3 * group))):(positive(column(4 + 3 * group))) nooutput
        if (STATS_min_x < y_low) { y_low = STATS_min_x }
        if (STATS_max_y > y_high) { y_high = STATS_max_y }
    }
}
# Ranges come after the last stats, which leaves out what lies outside of them.
set xrange [0 : 1.02 * last]
set yrange [0.85 * y_low : 1.25 * y_high]
every_mark = last > 24 ? ceil(last / 12.0) : 1

# gnuplot warns of curves without points, so only those that are there are put together.
draw = ''
join(text) = strlen(draw) ? draw . ', ' . text : 'plot ' . text
band(c, colour) = sprintf("data skip 1 using 1:(positive($%d)):(positive($%d)) with filledcurves fillcolor rgb '%s' " \
    . "fillstyle transparent solid 0.18 noborder notitle", c, c + 1, colour)
line(c, style, name) = sprintf("data skip 1 using 1:(positive($%d)) %s title %s", c, style, name)
if (has_scratch) { draw = join(band(6, '#c1440e')) }
if (has_student) { draw = join(band(9, '#2a6f97')) }
if (has_teacher) { draw = join(line(2, "with lines lw 2.4 dt '-' lc rgb '#000000'", 'teacher_title')) }
if (has_scratch) {
    draw = join(line(5, "with linespoints lw 2.2 pt 4 ps 1.2 pi every_mark lc rgb '#c1440e'", 'scratch_title'))
}
if (has_student) {
    draw = join(line(8, "with linespoints lw 2.4 pt 7 ps 1.2 pi every_mark lc rgb '#12355b'", 'student_name'))
}

do for [kind in 'svg png'] {
    if (kind eq 'svg') { set terminal svg size 1200, 800 font 'Helvetica,15' background '#ffffff' linewidth 1.2 }
    else { set terminal pngcairo size 1200, 800 font 'Sans,12' background '#ffffff' linewidth 1.4 }
    set output sprintf('%s.%s', output, kind)
    eval draw
    unset output
}

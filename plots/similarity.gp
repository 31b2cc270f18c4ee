# similarity.gp - a teacher's mean soft targets by true class, beside what is confused on the test set.
#
#   gnuplot runs/demo/similarity.set plots/similarity.gp
#
# data: true, class, soft target, teacher's count, its share, students' count, their share. The .set file says data,
# output, experiment, classes, temperature, of_teacher (1: the right map is the teacher's, else the students'),
# rho_teacher, rho_students (NaN: undefined). The diagonal is out of the colour scale.

set datafile separator comma
set encoding utf8

count = of_teacher ? 4 : 6
share = of_teacher ? 5 : 7
off(c) = column(1) == column(2) ? NaN : column(c)
stats data skip 1 using (off(3)) nooutput
soft_high = STATS_max > 0 ? STATS_max : 1
stats data skip 1 using (off(share)) nooutput
share_high = STATS_max > 0 ? STATS_max : 1
rho(v) = v == v ? sprintf('%.2f', v) : 'undefined'
note = of_teacher ? sprintf('rank correlation off the diagonal %s', rho(rho_teacher)) : ''
if (rho_students == rho_students) {
    note = note . (of_teacher ? ';  with' : 'rank correlation off the diagonal with') . \
        sprintf(' the confusions of its students %s', rho(rho_students))
}
size = classes > 14 ? 7 : classes > 10 ? 9 : 12
number(v) = v >= 0.095 ? sprintf('%.2f', v)[2 : *] : v >= 0.00095 ? sprintf('%.3f', v)[2 : *] : v > 0 ? '<.001' : '0'

array left[2] = [0.06, 0.56]
array right[2] = [0.465, 0.965]

do for [kind in 'svg png'] {
    if (kind eq 'svg') { set terminal svg size 1500, 860 font 'Helvetica,15' background '#ffffff' linewidth 1.2 }
    else { set terminal pngcairo size 1500, 860 font 'Sans,12' background '#ffffff' linewidth 1.4 }
    set output sprintf('%s.%s', output, kind)
    set multiplot
    do for [h = 1 : 2] {
        reset
        set datafile separator comma
        unset key
        set lmargin at screen left[h]
        set rmargin at screen right[h]
        set tmargin at screen 0.82
        set bmargin at screen 0.11
        set xrange [-0.5 : classes - 0.5]
        set yrange [classes - 0.5 : -0.5]
        set border 0
        set tics scale 0 font ',14'
        set xtics 0, 1, classes - 1
        set ytics 0, 1, classes - 1
        set ylabel 'true class' font ',16'
        set xlabel (h == 1 ? 'class' : 'answer') font ',16'
        set palette defined (0 '#f7f4c8', 0.25 '#a9d6a4', 0.5 '#4fa3a5', 0.75 '#20639b', 1 '#173f5f')
        set cbrange [0 : 1]
        unset colorbox
        if (h == 1) {
            set label 10 sprintf('%s: which classes are alike, and which are confused', experiment) noenhanced \
                at screen 0.5, 0.955 center font ',20'
            set label 11 note at screen 0.5, 0.915 center font ',14' textcolor rgb '#505050'
            set label 12 sprintf('mean soft target of the teacher, T = %g, transfer set', temperature) at graph 0.5, 1.035 center font ',16'
        } else {
            set label 12 sprintf('test examples, answers of %s', of_teacher ? 'the teacher' : 'its students, all seeds') \
                at graph 0.5, 1.035 center font ',16'
        }
        # Square roots spread the small values; a class that has no examples has no number.
        known(c) = strlen(strcol(c)) > 0
        shade(c, top) = sqrt(column(c) / top)
        ink(v) = v > 0.62 ? 0xffffff : 0x000000
        c = h == 1 ? 3 : share
        top = h == 1 ? soft_high : share_high
        plot data skip 1 using (known(c) && $1 != $2 ? $2 : NaN):1:(0.485):(0.485):(shade(c, top)) with boxxyerror \
                 fillcolor palette fillstyle solid 1.0 noborder, \
             data skip 1 using ($1 == $2 || !known(c) ? $2 : NaN):1:(0.485):(0.485) with boxxyerror \
                 fillcolor rgb '#e4e4e4' fillstyle solid 1.0 noborder, \
             data skip 1 using (known(c) ? $2 : NaN):1:(h == 1 ? number(column(3)) : sprintf('%d', column(count))): \
                 ($1 == $2 ? 0x606060 : ink(shade(c, top))) with labels font sprintf(',%d', size) textcolor rgb variable
    }
    unset multiplot
    unset output
}

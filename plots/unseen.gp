# unseen.gp - accuracy on classes that students never see, by epoch.
#
#   gnuplot runs/demo/unseen.set plots/unseen.gp
#
# data: epoch, then mean, low and high of each line, in per cent. The .set file says data, output, experiment, seeds,
# lines, facets, names[], teacher[] (its level on the same examples; NaN: not known), is_scratch[].

array colours[12] = ['#12355b', '#c1440e', '#2a9d8f', '#8f6bb3', '#e9a82b', '#6b705c', '#d4708f', '#4f8fd0', '#7a4f2b', \
    '#3c7d3c', '#b03a5b', '#20639b']
array marks[12] = [7, 5, 9, 13, 11, 4, 6, 8, 10, 12, 1, 2]

set datafile separator comma
set encoding utf8

# The lines of several facets are too many for bands, and each has a teacher's level of its own.
several = facets > 1
bands = !several && seeds > 1 && lines <= 4
level = NaN
do for [i = 1 : lines] { if (!several && teacher[i] == teacher[i]) { level = teacher[i] } }
has_level = level == level
array colour[lines]
do for [i = 1 : lines] { colour[i] = is_scratch[i] ? '#707070' : colours[(i - 1) % 12 + 1] }
name(i) = several && teacher[i] == teacher[i] ? sprintf('%s  (teacher %.1f %%)', names[i], teacher[i]) : names[i]

set title sprintf('%s: accuracy on classes that the student never sees', experiment) noenhanced font ',20' offset 0, 0.3
note = seeds > 1 ? sprintf('validation examples of these classes; mean of %d seeds%s', seeds, bands ? ', bands: 95 % intervals' : '') \
                 : 'validation examples of these classes; one seed'
set label 1 note at graph 0, 1 offset 0.5, 0.8 left font ',13' textcolor rgb '#505050'
set xlabel 'epoch' font ',17' offset 0, -0.3
set ylabel 'accuracy on unseen classes, %' font ',17' offset -1.5, 0
set border 3 lw 1.5 lc rgb '#404040'
set tics nomirror out font ',15'
set grid ytics lc rgb '#e0e0e0' lt 1 lw 1
set lmargin 11
set rmargin (several ? 34 : 26)
set tmargin 3.5
set bmargin 4.5
set key outside right top vertical Left reverse maxrows 16 noenhanced font ',14' samplen 3 spacing 1.3 noautotitle

stats data skip 1 using 1 nooutput
last = STATS_max
banded = bands ? lines : 0
every_mark = last > 24 ? ceil(last / 12.0) : 1
set xrange [0 : 1.02 * last]
set yrange [-2 : 102]
set samples 2
rule = ''
if (has_level) {
    rule = "level with lines lw 2 dt '-' lc rgb '#000000' title sprintf('teacher %.1f %%', level),"
}

do for [kind in 'svg png'] {
    if (kind eq 'svg') { set terminal svg size 1200, 800 font 'Helvetica,15' background '#ffffff' linewidth 1.2 }
    else { set terminal pngcairo size 1200, 800 font 'Sans,12' background '#ffffff' linewidth 1.4 }
    set output sprintf('%s.%s', output, kind)
    plot @rule for [b = 1 : banded] data skip 1 using 1:(column(3 * b)):(column(3 * b + 1)) with filledcurves \
             fillcolor rgb colour[b] fillstyle transparent solid 0.18 noborder, \
         for [i = 1 : lines] data skip 1 using 1:(column(3 * i - 1)) with linespoints lw 2.2 ps 1.2 pi every_mark \
             pt marks[(i - 1) % 12 + 1] dt 1 + is_scratch[i] lc rgb colour[i] title name(i)
    unset output
}

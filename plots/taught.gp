# taught.gp - the training images whose soft targets say most of a class that none of them is of.
#
#   gnuplot runs/demo/taught.set plots/taught.gp
#
# data: taught.csv; images: rank, x, y, red, green, blue. The .set file says data, images, output, experiment, count,
# width, height (of an image, pixels), temperature, unseen, labels[].

set datafile separator comma
set encoding utf8

across = count < 8 ? count : 8
down = (count + across - 1) / across
side = width > height ? width : height
# A place of the sheet is 1 wide; its image fills 0.86 of it, three lines of text stand below.
cell = 0.86 / side
left(i) = (i - 1) % across + 0.07
above(i) = ((i - 1) / across) * 1.5 + 0.05
pixels = width * height
wide = 150 * across < 900 ? 900 : 150 * across
high = 215 * down + 130

array p[count]
array soft[count]
do for [i = 1 : count] {
    stats data skip 1 using ($1 == i ? $6 : NaN) nooutput
    p[i] = STATS_max
    stats data skip 1 using ($1 == i ? $8 : NaN) nooutput
    soft[i] = STATS_max
}
share(v) = v >= 0.01 ? sprintf('%.3f', v) : sprintf('%.0e', v)

unset key
unset border
unset tics
set lmargin at screen 0.01
set rmargin at screen 0.99
set tmargin at screen 1 - 95.0 / high
set bmargin at screen 5.0 / high
set xrange [0 : across]
set yrange [1.5 * down : 0]
set label 1001 sprintf('%s: what taught the student class %s', experiment, unseen) noenhanced \
    at screen 0.5, 1 - 32.0 / high center font ',19'
set label 1002 sprintf('the training images, none of class %s, for which the teacher''s logit of it is highest above the mean; its probability for class %s', unseen, unseen) \
    noenhanced at screen 0.5, 1 - 66.0 / high center font ',13' textcolor rgb '#505050'
do for [i = 1 : count] {
    set label 3 * i sprintf('label %s', labels[i]) noenhanced at left(i) + 0.43, above(i) + 0.99 center font ',14'
    set label 3 * i + 1 sprintf('T = 1:  %s', share(p[i])) at left(i) + 0.43, above(i) + 1.14 center font ',12' textcolor rgb '#505050'
    set label 3 * i + 2 sprintf('T = %g:  %s', temperature, share(soft[i])) at left(i) + 0.43, above(i) + 1.28 center font ',12' \
        textcolor rgb '#c1440e'
}

do for [kind in 'svg png'] {
    if (kind eq 'svg') { set terminal svg size wide, high font 'Helvetica,14' background '#ffffff' }
    else { set terminal pngcairo size wide, high font 'Sans,11' background '#ffffff' }
    set output sprintf('%s.%s', output, kind)
    plot for [i = 1 : count] images skip 1 every ::(i - 1) * pixels::(i * pixels - 1) \
        using (left(i) + ($2 + 0.5) * cell):(above(i) + ($3 + 0.5) * cell):4:5:6 with rgbimage
    unset output
}

# pareto.gp - validation accuracy against bytes and against latency, of the candidates of a search.
#
#   gnuplot runs/demo-suggest/pareto.set plots/pareto.gp
#
# data: suggest.csv, by size. The .set file says data, output, experiment, seeds, lines, names[], bytes_are,
# teacher, least, max_bytes, max_latency (NaN: none), known.

set datafile separator comma
set encoding utf8
set border 3 lw 1.5 lc rgb '#404040'
set tics nomirror out font ',14'
set grid lc rgb '#e4e4e4' lt 1 lw 1
unset key

stats data skip 1 using (100 * $6) name 'y' nooutput
stats data skip 1 using 2 name 'b' nooutput
stats data skip 1 using 3 name 'l' nooutput
has_teacher = (teacher == teacher)
has_least = (least == least)
wide(half) = strlen(strcol(half)) > 0 ? 100 * column(half) : 0
top = y_max
bottom = y_min
stats data skip 1 using (100 * $6 + wide(7)) name 'h' nooutput
if (h_max - y_max < 0.5 * (y_max - y_min) + 0.2) { top = h_max }
if (has_teacher && teacher > top) { top = teacher }
if (has_least && least > top && least < top + 1.5 * (top - bottom) + 1) { top = least }
if (has_least && least < bottom && least > bottom - 0.5 * (top - bottom) - 1) { bottom = least }
room = top - bottom
if (room < 0.2) { room = 0.2 }
y_low = bottom - 0.12 * room
y_high = top + 0.1 * room
if (y_high > 100) { y_high = 100 + 0.02 * room }
set yrange [y_low : y_high]

# Names stand right of their points; one that would cover another moves below it, or above.
array name_x[lines]
array name_y[lines]
array front_x[lines]
array front_y[lines]
across(low, high) = log(high / low)
wide_name(k) = 0.0165 * strlen(names[k])
tall = 0.036 * (y_high - y_low)
covers(k, x, y) = name_x[k] < x + wide_name(n) && x < name_x[k] + wide_name(k) && abs(name_y[k] - y) < tall
free(x, y) = ((sum [k = 1 : n - 1] (covers(k, x, y) ? 1 : 0)) == 0)
try(x, y) = free(x, y) ? y : free(x, y - tall) ? y - tall : free(x, y + tall) ? y + tall : \
    free(x, y - 2 * tall) ? y - 2 * tall : free(x, y + 2 * tall) ? y + 2 * tall : y - 3 * tall
place(x, y) = (n = n + 1, name_x[n] = (log(x) - log(from)) / log(to / from), name_y[n] = try(name_x[n], y + 0.55 * tall), name_y[n])

do for [kind in 'svg png'] {
    if (kind eq 'svg') { set terminal svg size 1500, 800 font 'Helvetica,14' background '#ffffff' linewidth 1.2 }
    else { set terminal pngcairo size 1500, 800 font 'Sans,11' background '#ffffff' linewidth 1.4 }
    set output sprintf('%s.%s', output, kind)
    set multiplot layout 1, 2 title \
        sprintf('%s: students inside the limits, accuracy on validation', experiment) noenhanced font ',20'
    do for [panel = 1 : 2] {
        c = panel == 1 ? 2 : 3
        lowest = panel == 1 ? b_min : l_min
        highest = panel == 1 ? b_max : l_max
        limit = panel == 1 ? max_bytes : max_latency
        has_limit = (limit == limit)
        if (has_limit && limit > highest && limit < 6 * highest) { highest = limit }
        gap = log(highest / lowest)
        if (gap < 0.7) { gap = 0.7 }
        from = lowest * exp(-0.08 * gap)
        to = highest * exp(0.25 * gap)
        set logscale x
        set xrange [from : to]
        set format x (panel == 1 ? '%.0s %c' : '%g')
        set xtics autofreq
        # Between two powers of ten, at most, the others are named, too.
        decades = log10(to / from)
        if (decades < 1.7) {
            set xtics (1)
            do for [p = floor(log10(from)) : ceil(log10(to))] {
                do for [m in (decades < 0.5 ? '1 1.2 1.5 2 2.5 3 4 5 6 7 8 9' : decades < 1 ? '1 2 3 5 7' : '1 2 5')] {
                    set xtics add (10.0 ** p * m)
                }
            }
        }
        if (panel == 1) { set xlabel bytes_are font ',16' }
        else { set xlabel 'latency of one example, us, one thread' font ',16' }
        if (panel == 1) { set ylabel 'validation accuracy, %' font ',16' offset -1, 0 } else { unset ylabel }
        set lmargin 11
        set rmargin 3
        set bmargin 5
        set tmargin 5
        unset arrow
        unset label
        if (panel == 1) {
            set label 1 sprintf('mean of %d seed%s%s; ring: chosen on validation; line: the front of this panel; hollow: another one is smaller, faster and more accurate', \
                seeds, seeds > 1 ? 's' : '', seeds > 1 ? ', bars: 95 % intervals' : '') at graph 0, 1 \
                offset 0, 1.2 left font ',13' textcolor rgb '#505050'
        }
        if (has_teacher) {
            set arrow 1 from graph 0, first teacher to graph 1, first teacher nohead lw 2 dt '-' lc rgb '#000000' back
            set label 2 sprintf('teacher %.2f %%', teacher) at graph 0.01, first teacher offset 0, 0.6 left font ',13'
        }
        if (has_least && least < y_high && least > y_low) {
            set arrow 2 from graph 0, first least to graph 1, first least nohead lw 1.6 dt '.' lc rgb '#2a7d4f' back
            near = has_teacher && abs(teacher - least) < 0.06 * (y_high - y_low)
            set label 3 sprintf('asked for: %g %%', least) at graph (near ? 0.35 : 0.01), first least offset 0, 0.6 left \
                font ',13' textcolor rgb '#2a7d4f'
        }
        if (has_limit && limit < to) {
            set arrow 3 from first limit, graph 0 to first limit, graph 1 nohead lw 1.6 dt '.' lc rgb '#c1440e' back
            set label 4 'limit' at first limit, graph 0.02 offset 0.5, 0 left font ',13' textcolor rgb '#c1440e'
        }
        m = 0
        stats data skip 1 using (column(c)):(column(panel == 1 ? 10 : 11) > 0 ? \
            (m = m + 1, front_x[m] = column(c), front_y[m] = 100 * $6) : 100 * $6) nooutput
        n = 0
        plot data skip 1 using (column(c)):(100 * $6):(wide(7)) with yerrorbars lw 1.2 pt 7 ps 0 lc rgb '#b8c4d0', \
             front_x using (int($1) <= m ? front_x[int($1)] : 1 / 0):(front_y[int($1)]) every ::0::m - 1 smooth unique \
                 with steps lw 2.2 lc rgb '#12355b', \
             data skip 1 using (column(9) > 0 ? 1 / 0 : column(c)):(100 * $6) with points pt 6 ps 1.5 lw 1.6 lc rgb '#8899aa', \
             data skip 1 using (column(9) > 0 ? column(c) : 1 / 0):(100 * $6) with points pt 7 ps 1.7 lc rgb '#12355b', \
             data skip 1 using (column(12) > 0 ? column(c) : 1 / 0):(100 * $6) with points pt 6 ps 3.4 lw 2.4 lc rgb '#c1440e', \
             data skip 1 using (column(c)):(strlen(strcol(6)) > 0 ? place(column(c), 100 * $6) : 1 / 0):(names[int($0) + 1]) \
                 with labels left offset 0.9, 0 font ',12' noenhanced textcolor rgb '#303030'
    }
    unset multiplot
    unset output
}

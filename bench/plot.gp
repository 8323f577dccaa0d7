# SPDX-License-Identifier: MIT
#
# Draws the cost of a boot from bench/results.tsv. Run by `make plot`, or by
#   gnuplot -c bench/plot.gp bench/results.tsv docs/pictures/bench.svg

results = ARG1
set output ARG2
set terminal svg size 960, 560 font "Helvetica, Arial, DejaVu Sans, sans-serif, 15" \
    background rgb "#ffffff" linewidth 1.2
set datafile separator tab
set datafile commentschars ""

gib(size) = real(size[1:strlen(size) - 1]) # "64G"
short(n) = n < 1e9 ? sprintf("%.3g M", n / 1e6) : sprintf("%.3g G", n / 1e9)

set title "Instructions of a dom0 and of Xen for the P2M at boot" \
    font ",18" offset 0, 0.4
set xlabel "memory of the dom0, GiB"
set ylabel "instructions"
set logscale xy
set xrange [0.6:2600]
set yrange [3e5:2e10]
set xtics (1, 4, 16, 64, 200, 650)
set ytics ("1 M" 1e6, "10 M" 1e7, "100 M" 1e8, "1 G" 1e9, "10 G" 1e10)
set mytics 10
set grid ytics linecolor rgb "#d8d8d8" linewidth 0.7
set border 3 linecolor rgb "#555555"
set tics nomirror textcolor rgb "#222222"
unset key

# The name of a line stands at its end. Lines also differ in colour, dashes and points.
stats results using (gib(strcol("dom0"))):(column("linux_6.1")) nooutput
linux = STATS_pos_max_y ; linux_y = STATS_max_y ; end_x = STATS_max_x
stats results using (gib(strcol("dom0"))):(column("bound")) nooutput
bound_y = STATS_max_y
stats results using (gib(strcol("dom0"))):(column("total")) nooutput
total_y = STATS_max_y
set label "Linux 6.1\n{/=12 its P2M work}" at end_x * 1.35, linux_y left
set label "bound" at end_x * 1.35, bound_y * 1.3 left textcolor rgb "#555555"
set label "Xenolith\n{/=12 entry to teardown}" at end_x * 1.35, total_y left
set label "From 16 GiB on, the memory map has a hole\nof 1 GiB, whose frames are renumbered." \
    at 18, 1.2e7 left textcolor rgb "#555555" font ",13"

plot results using (gib(strcol("dom0"))):(column("linux_6.1")) title "Linux 6.1" with linespoints \
         linecolor rgb "#D55E00" linewidth 2 dashtype 1 pointtype 5 pointsize 0.9, \
     results using (gib(strcol("dom0"))):(column("bound")) title "bound" with lines \
         linecolor rgb "#888888" linewidth 1.3 dashtype 3, \
     results using (gib(strcol("dom0"))):(column("total")) title "Xenolith" with linespoints \
         linecolor rgb "#0072B2" linewidth 2 dashtype 1 pointtype 7 pointsize 0.9, \
     results using (gib(strcol("dom0"))):(column("linux_6.1") * 1.45):(short(column("linux_6.1"))) \
         title "Linux 6.1" with labels center font ",12" textcolor rgb "#555555", \
     results using (gib(strcol("dom0"))):(column("total") / 1.6):(short(column("total"))) \
         title "Xenolith" with labels center font ",12" textcolor rgb "#555555"

"""The goals: ratios and differences of the medians of one run."""

# goal, its value from the medians, relation, limit
GOALS = [
    ("(b) ours / floor", lambda m: m["b_ours_s"] / m["a_floor_s"], "<=", 3),
    ("(b) ours / floor, stretch", lambda m: m["b_ours_s"] / m["a_floor_s"], "<=", 2),
    ("(c) cost per bet, (b) / tenth",
     lambda m: m["b_ours_ns_per_bet"] / m["c_tenth_ns_per_bet"], "<=", 1.1),
    ("(c) cost per bet, tenfold / tenth",
     lambda m: m["c_tenfold_ns_per_bet"] / m["c_tenth_ns_per_bet"], "<=", 1.1),
    ("(d) small set, seconds over the floor",
     lambda m: m["d_small_ours_s"] - m["d_small_floor_s"], "<=", 0.25),
    ("(b) processor time / previous release",
     lambda m: m["b_ours_cpu_s"] / m["b_previous_cpu_s"], "<=", 1.02),
    ("(e) p50, one connection / bare", lambda m: m["e_one_p50_us"] / m["e_bare_p50_us"], "<=", 1.0),
    ("(e) p99, one connection / bare", lambda m: m["e_one_p99_us"] / m["e_bare_p99_us"], "<=", 1.2),
    ("(e) bets per second, 64 connections / previous release",
     lambda m: m["e_many_per_s"] / m["e_previous_many_per_s"], ">=", 1.5),
    ("(e) bets per second, 64 connections / one",
     lambda m: m["e_many_per_s"] / m["e_one_per_s"], ">=", 10),
    ("(f) raffle / wc -l", lambda m: m["f_raffle_s"] / m["f_wc_s"], "<=", 2),
    ("(f) raffle / wc -l, tenfold", lambda m: m["f_tenfold_raffle_s"] / m["f_tenfold_wc_s"], "<=", 2),
    ("(f) seal / raffle", lambda m: m["f_seal_s"] / m["f_raffle_s"], "<=", 1.5),
    ("(f) seconds of a start on the bets of (b)", lambda m: m["f_start_s"], "<=", 0.1),
    ("(f) seconds of a start, tenfold", lambda m: m["f_tenfold_start_s"], "<=", 0.1),
    ("(g) KiB per waiting connection", lambda m: m["g_kib_per_connection"], "<=", 8),
    ("(h) MiB of all server processes, peaks added", lambda m: m["h_server_mib"], "<=", 64),
    ("(k) worst latency beside zeros, ms", lambda m: m["k_worst_ms"], "<=", 250),
    ("(l) MiB of a worker, 3,000 connections of zeros", lambda m: m["l_zeros_3000_mib"], "<=", 64),
    ("(l) MiB of a worker, 3,000 of questions", lambda m: m["l_questions_3000_mib"], "<=", 64),
    ("(m) processor time beside garbage / alone",
     lambda m: m["m_flooded_cpu_s"] / m["m_alone_cpu_s"], "<=", 1.5),
    ("(m) MiB of a worker beside garbage", lambda m: m["m_flooded_worker_mib"], "<=", 64),
    ("(n) seconds of processor time over TLS, more than plain", lambda m: m["n_more_cpu_s"], "<=", 0.35),
    ("(n) over TLS / plain", lambda m: m["n_tls_s"] / m["n_plain_s"], "<=", 1.5),
    ("(p) workers' processor time, observer asked / alone", lambda m: m["p_asked_to_alone"], "<=", 1.02),
    ("(j) MiB of memory of the largest process, many winners", lambda m: m["j_process_mib"], "<=", 64),
]


def judge(medians):
    """All goals whose figures were measured."""
    judged = []
    for goal, figure, relation, limit in GOALS:
        try:
            value = figure(medians)
        except KeyError:
            continue
        judged.append({"goal": goal, "is": value, "wanted": f"{relation} {limit}",
                       "met": value <= limit if relation == "<=" else value >= limit})
    return judged

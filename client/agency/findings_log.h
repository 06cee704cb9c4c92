/* findings_log.h - what is wrong, or looks wrong, with the agency's file, in the log. */
#ifndef LOTTERY_FINDINGS_LOG_H
#define LOTTERY_FINDINGS_LOG_H

#include "bets_file.h"
#include "errbuf.h"

#include <stdint.h>

/* Logs every bad row but the last: who corrects a file wants to see them all. Returns the last,
 * with which the agency fails. There has to be one. */
const struct errbuf *findings_log_faults(const struct bets_findings *findings, uint32_t agency);

/* Logs what is valid, but looks like a mistake. */
void findings_log_warnings(const struct bets_findings *findings, uint32_t agency);

#endif

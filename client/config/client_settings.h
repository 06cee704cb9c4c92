/* client_settings.h - the settings of an agency: config.yaml and the environment. The README has
 * the table.
 */
#ifndef LOTTERY_CLIENT_SETTINGS_H
#define LOTTERY_CLIENT_SETTINGS_H

#include "bets_format.h"
#include "draw_id.h"
#include "errbuf.h"
#include "log.h"
#include "status.h"

#include <stdbool.h>
#include <stdint.h>

/* What an agency does; in the order of the setting's choices. */
enum client_mode { CLIENT_MODE_LOTTERY, CLIENT_MODE_BET, CLIENT_MODE_ECHO };

/* In the order of the setting's choices. */
enum seal_check { SEAL_CHECK_NO, SEAL_CHECK_YES };

struct settings_sources; /* settings.h */

struct client_settings {
    uint32_t id;                /* the agency, >= 1 */
    char server_address[512];   /* host:port, or several with commas in between */
    uint32_t loop_amount;       /* echo: messages */
    int64_t loop_period;        /* echo: ns from one message to the next */
    enum log_level log_level;   /* lowest level that is logged */
    enum log_format log_format; /* the form of a line of the log */
    uint32_t batch_max_amount;  /* bets in one batch at most, >= 1 */
    enum client_mode mode;
    char bets_file[512];            /* lottery: the agency's CSV */
    struct bets_format bets_format; /* how it is written */
    char winners_file[512];         /* lottery: where the winners' documents go; empty: nowhere */
    int64_t connect_timeout;        /* ns without any progress after which to give up; 0 = never */
    int64_t start_delay;            /* ns to wait before the first attempt to connect */
    enum seal_check seal_check;     /* lottery: ask for the seal of the draw */
    char seal_file[512];            /* lottery: where the seal is kept; empty: nowhere */
    char seal_key[512];             /* lottery: whose signature it has, a vkey; empty: any */
    char draw[DRAW_ID_MAX + 1];     /* the id of the draw that the bets are for; empty: none */
    char tls_cert[512];             /* TLS: our certificate, PEM; all three empty: no TLS */
    char tls_key[512];              /* its private key */
    char tls_ca[512];               /* the authority that the central's has to come from */
    char tls_server_name[512];      /* whose certificate it has to be; empty: the host's */
};

/* Fills *out from defaults, the file, the environment and the command line. Returns STATUS_INVALID
 * with "file:line: key: reason", or the same with "environment" or "command line" for the place, in
 * *err, or STATUS_IO when the file cannot be read. STATUS_STOPPED: see config_file_read(), which it
 * blocks in.
 *
 * log.format has a second variable, LOG_FORMAT, which is also the server's. It counts where
 * CLI_LOG_FORMAT is not set, and wins over the file, too. */
enum status client_settings_load(const struct settings_sources *sources,
                                 struct client_settings *out, struct errbuf *err);

/* The same without the id, and without a look at whether the settings of TLS are complete, for what
 * needs neither. */
enum status client_settings_load_without_id(const struct settings_sources *sources,
                                            struct client_settings *out, struct errbuf *err);

/* Does some setting ask for the seal of the draw? */
bool client_settings_want_seal(const struct client_settings *settings);

/* Does the agency connect over TLS? */
bool client_settings_have_tls(const struct client_settings *settings);

/* Writes the `action: config` line, and a WARNING for each variable that looks like a setting and
 * is none. */
void client_settings_log(const struct client_settings *settings);

#endif

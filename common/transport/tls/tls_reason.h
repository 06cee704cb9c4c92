/* tls_reason.h - why a session fails, in words: of certificates, of alerts, of libssl's errors. */
#ifndef LOTTERY_TLS_REASON_H
#define LOTTERY_TLS_REASON_H

#include <stdbool.h>

struct tls_reason {
    const char *text;  /* static */
    bool is_untrusted; /* it is about trust; see tls_session_is_untrusted() */
};

/* What a peer's certificate is refused for; those without a number in X509_V_ERR_*. */
extern const struct tls_reason tls_reason_no_name;
extern const struct tls_reason tls_reason_names;

/* What sessions fail with by themselves. */
extern const struct tls_reason tls_reason_not_tls;
extern const struct tls_reason tls_reason_broken_off;
extern const struct tls_reason tls_reason_too_much;
extern const struct tls_reason tls_reason_chatter;
extern const struct tls_reason tls_reason_memory;
extern const struct tls_reason tls_reason_damaged;

/* Of an X509_V_ERR_*, with which the check of a certificate has ended. Never NULL. */
const struct tls_reason *tls_reason_of_certificate(long error);

/* Of the first error in libssl's list, as ERR_peek_error() returns it. */
struct tls_reason tls_reason_of_error(unsigned long error);

/* Is it an alert that the peer has sent? */
bool tls_reason_is_alert(unsigned long error);

#endif

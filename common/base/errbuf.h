/* errbuf.h - the human side of an error: bounded text, context wrapped around it on the way up.
 *
 * The caller owns the struct. Every function takes NULL for "nobody wants the text".
 */
#ifndef LOTTERY_ERRBUF_H
#define LOTTERY_ERRBUF_H

struct errbuf {
    char text[512]; /* NUL-terminated; cut when it would not fit */
};

/* Replaces the text. */
void errbuf_set(struct errbuf *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts "context: " before the text that is there. */
void errbuf_wrap(struct errbuf *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif

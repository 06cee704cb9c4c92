/* bet.h - a bet and its rules. Pure: no I/O, no allocation, no global state.
 *
 * Both sides use the same rules: the agency to name the bad line of its file, the server because it
 * trusts no agency.
 */
#ifndef LOTTERY_BET_H
#define LOTTERY_BET_H

#include "text.h"

#include <stdint.h>

#define BET_NAME_MAX 64       /* bytes of UTF-8 in a first or last name */
#define BET_DOCUMENT_MAX 16   /* characters in a document */
#define BET_BIRTHDATE_SIZE 10 /* "YYYY-MM-DD" */
#define BET_NUMBER_MAX 9999

/* The texts are borrowed; whoever fills the struct says how long they are valid. */
struct bet {
    struct text first_name;
    struct text last_name;
    struct text document;
    struct text birthdate;
    uint32_t number;
};

/* XX(NAME, text): what can be wrong with a bet. */
#define BET_FAULT_MAP(XX)                                                                          \
    XX(NONE, "ok")                                                                                 \
    XX(FIRST_NAME_SIZE, "first name is not 1 to 64 bytes long")                                    \
    XX(FIRST_NAME_TEXT, "first name is not valid UTF-8 without control characters")                \
    XX(LAST_NAME_SIZE, "last name is not 1 to 64 bytes long")                                      \
    XX(LAST_NAME_TEXT, "last name is not valid UTF-8 without control characters")                  \
    XX(DOCUMENT, "document is not 1 to 16 ASCII letters or digits")                                \
    XX(BIRTHDATE, "birthdate is not a calendar date YYYY-MM-DD")                                   \
    XX(BIRTHDATE_FUTURE, "birthdate is in the future")                                             \
    XX(NUMBER, "number is not in 0..9999")

enum bet_fault {
#define XX(name, text) BET_FAULT_##name,
    BET_FAULT_MAP(XX)
#undef XX
        BET_FAULT_COUNT
};

/* Checks every rule; a birthdate after `today`, a date YYYYMMDD, is in the future. Returns the
 * first fault in the order of the fields, or BET_FAULT_NONE. */
enum bet_fault bet_check(const struct bet *bet, uint32_t today);

/* Checks only the sizes of the texts and the range of the number. */
enum bet_fault bet_check_sizes(const struct bet *bet);

/* Reads a bet's number: ASCII digits only, at least one, value 0..9999 (leading zeros are allowed).
 * Returns BET_FAULT_NONE or BET_FAULT_NUMBER. Writes *out only on success. */
enum bet_fault bet_number_read(struct text text, uint32_t *out);

/* The text of a fault; "?" when it is not one. Static, never NULL. */
const char *bet_fault_text(enum bet_fault fault);

#endif

/* bets_format.h - how an agency's file is written: what the settings `bets.*` say. */
#ifndef LOTTERY_BETS_FORMAT_H
#define LOTTERY_BETS_FORMAT_H

/* The encodings, in the order of the setting's choices. UTF-16 without more: the byte order mark
 * says which one, or else the first bytes do. */
enum bets_encoding {
    BETS_ENCODING_UTF_8,
    BETS_ENCODING_WINDOWS_1252,
    BETS_ENCODING_ISO_8859_1,
    BETS_ENCODING_UTF_16,
    BETS_ENCODING_UTF_16LE,
    BETS_ENCODING_UTF_16BE
};

/* As a setting's choices, and for messages. */
#define BETS_ENCODING_NAMES "utf-8|windows-1252|iso-8859-1|utf-16|utf-16le|utf-16be"

/* What separates two fields, in the order of the setting's choices. */
enum bets_delimiter { BETS_DELIMITER_COMMA, BETS_DELIMITER_SEMICOLON, BETS_DELIMITER_TAB };
#define BETS_DELIMITER_NAMES ",|;|tab"

/* Is there a row of column names (and a line "sep=;") before the bets? Likewise. */
enum bets_header { BETS_HEADER_NONE, BETS_HEADER_SKIP };

/* Is a file without a bet fit? Likewise. */
enum bets_empty { BETS_EMPTY_REFUSED, BETS_EMPTY_ALLOWED };

/* Zeroed: UTF-8, commas, no header, at least one bet. */
struct bets_format {
    enum bets_encoding encoding;
    enum bets_delimiter delimiter;
    enum bets_header header;
    enum bets_empty empty;
};

#endif

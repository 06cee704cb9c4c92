#include "signed_note.h"

#include "assertion.h"
#include "base64.h"
#include "text_reader.h"
#include "utf8_sequence.h"

#include <stdbool.h>

#define DASH "\xe2\x80\x94 " /* U+2014 and a blank */
#define ID_AND_SIGNATURE_SIZE (NOTE_KEY_ID_SIZE + ED25519_SIGNATURE_SIZE)

/* A line below the text. */
struct signature_line {
    struct text name;   /* borrowed */
    struct text base64; /* borrowed: the key's id and the signature */
};

/* Only UTF-8, and no control characters of ASCII but line feeds? */
static bool signed_note_is_text(struct text note)
{
    for (size_t i = 0; i < note.size;) {
        const unsigned char *p = (const unsigned char *)note.data + i;
        size_t size = *p < 0x80 ? 1 : utf8_sequence_size(p, note.size - i);
        if (size == 0 || (*p < ' ' && *p != '\n'))
            return false;
        i += size;
    }
    return true;
}

/* Where the last empty line begins: at the second of two line feeds. 0: there is none. */
static size_t signed_note_last_gap(struct text note)
{
    for (size_t at = note.size; at > 1; at--) {
        if (note.data[at - 1] == '\n' && note.data[at - 2] == '\n')
            return at - 1;
    }
    return 0;
}

/* Reads the next line of signatures; they are not all read. */
static struct signature_line signed_note_line(struct text_reader *reader)
{
    struct signature_line line;

    text_reader_literal(reader, DASH);
    line.name = text_reader_until(reader, ' ');
    line.base64 = text_reader_until(reader, '\n');
    return line;
}

static bool signed_note_has_form(const struct signature_line *line)
{
    size_t size = base64_decoded_size(line->base64);

    return note_key_is_name(line->name) && size > NOTE_KEY_ID_SIZE &&
           base64_decode(line->base64, NULL, size);
}

static bool signed_note_are_signatures(struct text lines)
{
    struct text_reader reader = {lines, false};

    while (reader.rest.size > 0 && !reader.is_bad) {
        struct signature_line line = signed_note_line(&reader);
        reader.is_bad = reader.is_bad || !signed_note_has_form(&line);
    }
    return lines.size > 0 && !reader.is_bad;
}

enum status signed_note_parse(struct text note, struct signed_note *out, struct errbuf *err)
{
    if (note.size > SIGNED_NOTE_MAX) {
        errbuf_set(err, "the note has more than %d bytes", SIGNED_NOTE_MAX);
        return STATUS_MALFORMED;
    }
    if (!signed_note_is_text(note)) {
        errbuf_set(err, "the note is not text in UTF-8");
        return STATUS_MALFORMED;
    }
    size_t gap = signed_note_last_gap(note);
    if (gap == 0) {
        errbuf_set(err, "the note has no text and signatures with an empty line between them");
        return STATUS_MALFORMED;
    }
    struct signed_note found = {{note.data, gap}, {note.data + gap + 1, note.size - gap - 1}};
    if (!signed_note_are_signatures(found.signatures)) {
        errbuf_set(err, "the note does not end with lines of signatures");
        return STATUS_MALFORMED;
    }
    *out = found;
    return STATUS_OK;
}

/* Does the line say that it is this key's? */
static bool signed_note_is_by(const struct signature_line *line, const struct note_key *key)
{
    struct text first = {line->base64.data,
                         8}; /* a line has at least five bytes, which are as many */
    uint8_t bytes[6];
    size_t size = strlen(key->name);

    return line->name.size == size && memcmp(line->name.data, key->name, size) == 0 &&
           base64_decode(first, bytes, base64_decoded_size(first)) &&
           memcmp(bytes, key->id, NOTE_KEY_ID_SIZE) == 0;
}

static enum status signed_note_verify_line(const struct signed_note *note,
                                           const struct signature_line *line,
                                           const struct note_key *key)
{
    uint8_t bytes[ID_AND_SIGNATURE_SIZE];

    if (!base64_decode(line->base64, bytes, sizeof(bytes)))
        return STATUS_MISMATCH;
    return ed25519_verify(key->public_key, note->text, bytes + NOTE_KEY_ID_SIZE);
}

enum status signed_note_verify(const struct signed_note *note, const struct note_key *key,
                               struct errbuf *err)
{
    struct text_reader reader = {note->signatures, false};
    enum status status = STATUS_NOTFOUND;

    while (reader.rest.size > 0 && (status == STATUS_NOTFOUND || status == STATUS_OK)) {
        struct signature_line line = signed_note_line(&reader);
        if (signed_note_is_by(&line, key))
            status = signed_note_verify_line(note, &line, key);
    }
    if (status == STATUS_NOTFOUND)
        errbuf_set(err, "the note is not signed by the expected key");
    else if (status == STATUS_MISMATCH)
        errbuf_set(err, "the signature is not of this text by the expected key");
    return status;
}

enum status signed_note_put(struct text text, const struct note_key *key,
                            const uint8_t signature[ED25519_SIGNATURE_SIZE], struct buffer *out)
{
    char line[1 + sizeof(DASH) + NOTE_NAME_MAX + 1 + BASE64_SIZE(ID_AND_SIGNATURE_SIZE) + 1];
    uint8_t bytes[ID_AND_SIGNATURE_SIZE];
    size_t name_size = strlen(key->name);
    char *end = line;

    ASSERT(text.size > 0 && text.data[text.size - 1] == '\n');
    memcpy(bytes, key->id, NOTE_KEY_ID_SIZE);
    memcpy(bytes + NOTE_KEY_ID_SIZE, signature, ED25519_SIGNATURE_SIZE);
    *end++ = '\n';
    memcpy(end, DASH, sizeof(DASH) - 1);
    end += sizeof(DASH) - 1;
    memcpy(end, key->name, name_size);
    end += name_size;
    *end++ = ' ';
    end = base64_encode(bytes, sizeof(bytes), end);
    *end++ = '\n';
    enum status status = buffer_reserve(out, text.size + (size_t)(end - line));
    if (status != STATUS_OK)
        return status;
    (void)buffer_append(out, text.data, text.size);
    return buffer_append(out, line, (size_t)(end - line));
}

#include "yaml_file.h"

#include "config_file.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define KEY_SIZE 128
#define DEPTH_MAX 2 /* "server: address:" is two deep; no setting is deeper */

/* The file that is being read. */
struct yaml_file_source {
    const char *path;                   /* for the errors */
    yaml_document_t *document;          /* the only one in it */
    const struct settings_table *table; /* the settings that exist */
    void *target;                       /* the program's struct, which gets the values */
    struct settings_seen seen;          /* the settings found so far */
    struct errbuf *err;
};

static void yaml_file_place(const struct yaml_file_source *source, const yaml_node_t *node,
                            char *out, size_t size)
{
    (void)snprintf(out, size, "%s:%zu", source->path, node->start_mark.line + 1);
}

static enum status yaml_file_refuse(const struct yaml_file_source *source, const yaml_node_t *node,
                                    const char *reason)
{
    char place[SETTING_TEXT_SIZE + 32];

    yaml_file_place(source, node, place, sizeof(place));
    errbuf_set(source->err, "%s: %s", place, reason);
    return STATUS_INVALID;
}

/* Is the scalar free of NUL bytes? YAML allows them (written as "\0"), settings do not. */
static bool yaml_file_is_plain(const yaml_node_t *node)
{
    return strlen((const char *)node->data.scalar.value) == node->data.scalar.length;
}

static enum status yaml_file_set(struct yaml_file_source *source, const yaml_node_t *key_node,
                                 const char *key, const char *value)
{
    char place[SETTING_TEXT_SIZE + 32];

    yaml_file_place(source, key_node, place, sizeof(place));
    return settings_set(source->table, source->target, &source->seen, place, key, value,
                        source->err);
}

static enum status yaml_file_set_scalar(struct yaml_file_source *source,
                                        const yaml_node_t *key_node, const char *key,
                                        const yaml_node_t *value)
{
    if (!yaml_file_is_plain(value))
        return yaml_file_refuse(source, value, "a NUL byte in a value");
    return yaml_file_set(source, key_node, key, (const char *)value->data.scalar.value);
}

/* Appends a value of a list, after a comma. */
static enum status yaml_file_join(const struct yaml_file_source *source, const yaml_node_t *value,
                                  char *out, size_t size)
{
    size_t used = strlen(out);

    if (value->type != YAML_SCALAR_NODE || !yaml_file_is_plain(value))
        return yaml_file_refuse(source, value, "a value in a list has to be a word or a number");
    int added = snprintf(out + used, size - used, "%s%s", used > 0 ? "," : "",
                         (const char *)value->data.scalar.value);
    if (added < 0 || (size_t)added >= size - used)
        return yaml_file_refuse(source, value, "the list is too long");
    return STATUS_OK;
}

static enum status yaml_file_set_list(struct yaml_file_source *source, const yaml_node_t *key_node,
                                      const char *key, const yaml_node_t *list)
{
    enum status status = STATUS_OK;
    char text[SETTING_TEXT_SIZE] = "";

    if (!settings_is_list(source->table, key))
        return yaml_file_refuse(source, list, "a value has to be a word or a number");
    for (const yaml_node_item_t *item = list->data.sequence.items.start;
         status == STATUS_OK && item < list->data.sequence.items.top; item++)
        status = yaml_file_join(source, yaml_document_get_node(source->document, *item), text,
                                sizeof(text));
    return status == STATUS_OK ? yaml_file_set(source, key_node, key, text) : status;
}

static enum status yaml_file_read_mapping(struct yaml_file_source *source,
                                          const yaml_node_t *mapping, const char *prefix,
                                          unsigned depth);

static enum status yaml_file_read_pair(struct yaml_file_source *source,
                                       const yaml_node_pair_t *pair, const char *prefix,
                                       unsigned depth)
{
    const yaml_node_t *key_node = yaml_document_get_node(source->document, pair->key);
    const yaml_node_t *value = yaml_document_get_node(source->document, pair->value);
    char key[KEY_SIZE];

    if (key_node->type != YAML_SCALAR_NODE || !yaml_file_is_plain(key_node))
        return yaml_file_refuse(source, key_node, "a key has to be a word");
    int size = snprintf(key, sizeof(key), "%s%s%s", prefix, prefix[0] != '\0' ? "." : "",
                        (const char *)key_node->data.scalar.value);
    if (size < 0 || (size_t)size >= sizeof(key))
        return yaml_file_refuse(source, key_node, "unknown key");
    if (value->type == YAML_SCALAR_NODE)
        return yaml_file_set_scalar(source, key_node, key, value);
    if (value->type == YAML_SEQUENCE_NODE)
        return yaml_file_set_list(source, key_node, key, value);
    if (value->type == YAML_MAPPING_NODE && depth < DEPTH_MAX)
        return yaml_file_read_mapping(source, value, key, depth + 1);
    return yaml_file_refuse(source, value, "a value has to be a word or a number");
}

static enum status yaml_file_read_mapping(struct yaml_file_source *source,
                                          const yaml_node_t *mapping, const char *prefix,
                                          unsigned depth)
{
    enum status status = STATUS_OK;

    for (const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;
         status == STATUS_OK && pair < mapping->data.mapping.pairs.top; pair++)
        status = yaml_file_read_pair(source, pair, prefix, depth);
    return status;
}

static enum status yaml_file_refuse_syntax(const struct yaml_file_source *source,
                                           const yaml_parser_t *parser)
{
    errbuf_set(source->err, "%s:%zu: %s", source->path, parser->problem_mark.line + 1,
               parser->problem != NULL ? parser->problem : "not YAML");
    return STATUS_INVALID;
}

static enum status yaml_file_read_document(struct yaml_file_source *source, yaml_parser_t *parser)
{
    yaml_document_t document;
    enum status status = STATUS_OK;

    if (yaml_parser_load(parser, &document) == 0)
        return yaml_file_refuse_syntax(source, parser);
    source->document = &document;
    const yaml_node_t *root = yaml_document_get_root_node(&document);
    if (root != NULL && root->type == YAML_MAPPING_NODE)
        status = yaml_file_read_mapping(source, root, "", 1);
    else if (root != NULL)
        status = yaml_file_refuse(source, root, "settings have to be key: value");
    source->document = NULL;
    yaml_document_delete(&document);
    return status;
}

enum status yaml_file_read(const struct settings_sources *sources,
                           const struct settings_table *table, void *target, struct errbuf *err)
{
    const char *path = sources->path;
    struct yaml_file_source source = {.path = path, .table = table, .target = target, .err = err};
    yaml_parser_t parser;
    size_t size = 0;
    char *text = NULL;

    enum status status = config_file_read(path, sources->must_file_exist, &text, &size, err);
    if (status != STATUS_OK)
        return status == STATUS_NOTFOUND ? STATUS_OK : status;
    if (yaml_parser_initialize(&parser) == 0) {
        status = STATUS_NOMEM;
        errbuf_set(err, "%s: %s", path, status_text(status));
        goto err_after_read;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
    status = yaml_file_read_document(&source, &parser);
    yaml_parser_delete(&parser);
err_after_read:
    free(text);
    return status;
}

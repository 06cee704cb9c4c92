#include "json_print.h"
#include "json_value.h"

#include "alloc_fault.h"
#include "cmocka_all.h"
#include "control_json.h"

#include <stdlib.h>
#include <string.h>

#define STATUS_FULL                                                                                \
    "{\"phase\":\"drawn\",\"draw\":\"2026-11-25-matutina\",\"mode\":\"manual\",\"seal\":true,"     \
    "\"agencies\":5,\"finished\":4,\"bets\":78697,\"close_at\":\"2026-11-25T17:00:00Z\","          \
    "\"closed\":{\"time\":\"2026-11-25T15:30:02Z\",\"by\":\"operator\",\"uid\":1000},"             \
    "\"sealed\":{\"time\":\"2026-11-25T15:30:03Z\",\"root\":\"AQID\",\"key\":\"lottery+1+A\"},"    \
    "\"drawn\":{\"time\":\"2026-11-25T15:30:04Z\",\"number\":7574,"                                \
    "\"source\":\"bolillero 3, escribana G\\u00f3mez\",\"uid\":1000,\"winners\":2,"                \
    "\"winners_readable\":true}}"

/* What is written of the value, to be freed. */
static char *print(json_t *value)
{
    struct buffer out = {0};

    assert_non_null(value);
    assert_int_equal(json_print_buffer(value, &out), STATUS_OK);
    assert_int_equal(buffer_append(&out, "", 1), STATUS_OK);
    return out.data;
}

static void assert_printed(json_t *value, const char *expected)
{
    char *text = print(value);

    assert_string_equal(text, expected);
    free(text);
}

static void test_numbers(void **state)
{
    (void)state;
    assert_printed(json_value_uint(0), "0");
    assert_printed(json_value_uint(78697), "78697");
    assert_printed(json_value_uint(INT64_MAX), "9223372036854775807");
    assert_printed(json_value_uint(UINT64_MAX), "18446744073709551615");
    assert_printed(json_real(0.031), "0.031");
    assert_printed(json_real(86400.000000123), "86400.000000123");
}

static void test_times_and_base64(void **state)
{
    const uint8_t bytes[] = {0xff, 0xfe, 0xfd, 0};

    (void)state;
    assert_printed(json_value_time(0), "\"1970-01-01T00:00:00Z\"");
    assert_printed(json_value_time(UINT64_MAX), "\"9999-12-31T23:59:59Z\"");
    assert_printed(json_value_base64(bytes, 0), "\"\"");
    assert_printed(json_value_base64(bytes, sizeof(bytes)), "\"//79AA==\"");
}

/* What is not printable ASCII is escaped, always as \uxxxx with small digits. */
static void test_escapes(void **state)
{
    (void)state;
    assert_printed(json_value_text(""), "\"\"");
    assert_printed(json_value_text("a \"quoted\" \\ /"), "\"a \\\"quoted\\\" \\\\ /\"");
    assert_printed(json_value_text("\\u00FA \\n"), "\"\\\\u00FA \\\\n\"");
    assert_printed(json_value_text("\b\f\n\r\t"), "\"\\u0008\\u000c\\u000a\\u000d\\u0009\"");
    assert_printed(json_value_text("\x1b[2J\x7f."), "\"\\u001b[2J\\u007f.\"");
    assert_printed(json_value_text("\nABCDEF"), "\"\\u000aABCDEF\"");
    assert_printed(json_value_text("Muñoz ÍÚ"), "\"Mu\\u00f1oz \\u00cd\\u00da\"");
    assert_printed(json_value_text("\u2028\xef\xbf\xbf"), "\"\\u2028\\uffff\"");
    assert_printed(json_value_text("\U0001f3b2AB"), "\"\\ud83c\\udfb2AB\"");
}

/* A byte that is no part of a character becomes U+FFFD. */
static void test_bytes_that_are_not_utf8(void **state)
{
    (void)state;
    assert_printed(json_value_text("\xff"), "\"\\ufffd\"");
    assert_printed(json_value_text("a\xc3"), "\"a\\ufffd\"");
    assert_printed(json_value_text("\x80\x80z"), "\"\\ufffd\\ufffdz\"");
    assert_printed(json_value_text("\xed\xa0\x80"), "\"\\ufffd\\ufffd\\ufffd\""); /* surrogate */
    assert_printed(json_value_text("\xc0\xaf\""), "\"\\ufffd\\ufffd\\\"\"");      /* overlong */
    assert_printed(json_value_text("\xf4\x90\x80\x80"), "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");
    assert_printed(json_value_text("\xe2\x82\xc3\xb3"), "\"\\ufffd\\ufffd\\u00f3\"");
}

/* Whatever the bytes: one line of printable ASCII. */
static void test_every_pair_of_bytes(void **state)
{
    (void)state;
    for (unsigned first = 1; first < 256; first++) {
        for (unsigned second = 1; second < 256; second++) {
            const char text[] = {(char)first, (char)second, '\0'};
            char *printed = print(json_value_text(text));
            for (const char *p = printed; *p != '\0'; p++)
                assert_in_range(*p, 0x20, 0x7e);
            free(printed);
        }
    }
}

static void test_order_and_nesting(void **state)
{
    json_t *object = json_object();
    json_t *array = json_array();

    (void)state;
    json_value_append(&array, json_null());
    json_value_append(&array, json_true());
    json_value_add(&object, "z", json_value_uint(1));
    json_value_add(&object, "a", array);
    json_value_add(&object, "m", json_object());
    assert_printed(object, "{\"z\":1,\"a\":[null,true],\"m\":{}}");
}

/* Missing memory is found at the end. */
static void test_missing_values(void **state)
{
    json_t *object = json_object();
    json_t *array = json_array();
    struct buffer out = {0};

    (void)state;
    json_value_append(&array, NULL);
    assert_null(array);
    json_value_append(&array, json_true());
    assert_null(array);
    json_value_add(&object, "rows", array);
    assert_null(object);
    json_value_add(&object, "more", json_true());
    assert_null(object);
    assert_int_equal(json_print_buffer(object, &out), STATUS_NOMEM);
    assert_int_equal(json_print_file(object, stderr), STATUS_NOMEM);
    assert_null(out.data);
}

static void test_file(void **state)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    (void)state;
    assert_non_null(out);
    assert_int_equal(json_print_file(control_json_error("no\n"), out), STATUS_OK);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(text, "{\"error\":\"no\\u000a\"}");
    free(text);
}

static Lottery__Control__V1__Status full_status(void)
{
    static uint8_t root[] = {1, 2, 3};
    static char draw[] = "2026-11-25-matutina";
    static char vkey[] = "lottery+1+A";
    static char source[] = "bolillero 3, escribana Gómez";
    Lottery__Control__V1__Status status;

    lottery__control__v1__status__init(&status);
    status.draw = draw;
    status.mode = LOTTERY__CONTROL__V1__MODE__MODE_MANUAL;
    status.has_seal = true;
    status.phase = LOTTERY__CONTROL__V1__PHASE__PHASE_DRAWN;
    status.agencies = 5;
    status.finished = 4;
    status.has_bets = true;
    status.bets = 78697;
    status.close_at = 1795626000;
    status.closed_at = 1795620602;
    status.closed_by = LOTTERY__CONTROL__V1__CLOSED_BY__CLOSED_BY_OPERATOR;
    status.closed_uid = 1000;
    status.root = (ProtobufCBinaryData){sizeof(root), root};
    status.vkey = vkey;
    status.sealed_at = 1795620603;
    status.number = 7574;
    status.source = source;
    status.winners = 2;
    status.drawn_at = 1795620604;
    status.drawn_uid = 1000;
    status.has_winners = true;
    return status;
}

static void test_status(void **state)
{
    Lottery__Control__V1__Status status = full_status();

    (void)state;
    assert_printed(control_json_status(&status), STATUS_FULL);
    status.phase = LOTTERY__CONTROL__V1__PHASE__PHASE_UNSPECIFIED;
    assert_printed(control_json_status(&status), "{\"phase\":\"unknown\"}");
}

/* What is not there is null. */
static void test_status_without_the_rest(void **state)
{
    Lottery__Control__V1__Status status;

    (void)state;
    lottery__control__v1__status__init(&status);
    status.phase = LOTTERY__CONTROL__V1__PHASE__PHASE_OPEN;
    assert_printed(control_json_status(&status),
                   "{\"phase\":\"open\",\"draw\":\"\",\"mode\":\"auto\",\"seal\":false,"
                   "\"agencies\":0,\"finished\":0,\"bets\":null,\"close_at\":null,\"closed\":null,"
                   "\"sealed\":null,\"drawn\":null}");
    status = full_status();
    status.mode = LOTTERY__CONTROL__V1__MODE__MODE_AUTO;
    status.closed_by = LOTTERY__CONTROL__V1__CLOSED_BY__CLOSED_BY_DEADLINE;
    status.vkey = status.draw + strlen(status.draw);
    char *text = print(control_json_status(&status));
    assert_non_null(strstr(text, "\"by\":\"deadline\",\"uid\":null}"));
    assert_non_null(strstr(text, "\"key\":null}"));
    assert_non_null(strstr(text, "mez\",\"uid\":null,\"winners\""));
    free(text);
}

static void test_rows(void **state)
{
    (void)state;
    assert_printed(control_json_agency(1, 26000, false),
                   "{\"agency\":1,\"bets\":26000,\"finished\":false}");
    assert_printed(control_json_winner(3, "304\xff"), "{\"agency\":3,\"document\":\"304\\ufffd\"}");
}

/* Every allocation fails once, also jansson's. */
static void test_no_memory(void **state)
{
    const Lottery__Control__V1__Status status = full_status();
    unsigned after = 0;

    (void)state;
    for (;; after++) {
        struct buffer out = {0};
        alloc_fault_after(after);
        json_t *value = control_json_status(&status);
        json_value_add(&value, "bad", json_value_text("\xff\xff and more"));
        enum status done = json_print_buffer(value, &out);
        const bool has_failed = alloc_fault_end();
        buffer_fini(&out);
        if (!has_failed) {
            assert_int_equal(done, STATUS_OK);
            break;
        }
        assert_int_equal(done, STATUS_NOMEM);
    }
    assert_in_range(after, 50, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_times_and_base64),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_bytes_that_are_not_utf8),
        cmocka_unit_test(test_every_pair_of_bytes),
        cmocka_unit_test(test_order_and_nesting),
        cmocka_unit_test(test_missing_values),
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_status_without_the_rest),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_no_memory),
    };

    json_set_alloc_funcs(malloc, free);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

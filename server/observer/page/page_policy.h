/* page_policy.h - the Content-Security-Policy of a page that is one file. Pure. */
#ifndef LOTTERY_PAGE_POLICY_H
#define LOTTERY_PAGE_POLICY_H

#include "status.h"
#include "text.h"

#define PAGE_POLICY_SIZE 384 /* bytes that suffice for any policy, with its NUL */

/* Writes the policy of a page, a string. It allows the page's style and script, by their SHA-256,
 * and answers of the same origin; no other script or style, whatever gets into the page, nothing
 * from another host, and no frame around it.
 *
 * The page has exactly one `<style>` and one `<script>`, without attributes. MALFORMED: it does
 * not; NOMEM. Then *out may have been changed. */
enum status page_policy_write(struct text html, char out[PAGE_POLICY_SIZE]);

#endif

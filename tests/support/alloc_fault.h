/* alloc_fault.h - makes an allocation of the code under test fail.
 *
 * Link the test with `test_alloc_fault`: calls of malloc, calloc and realloc in our own (statically
 * linked) code then pass through here. Calls inside shared libraries do not.
 */
#ifndef LOTTERY_ALLOC_FAULT_H
#define LOTTERY_ALLOC_FAULT_H

#include <stdbool.h>

/* From now on `after` allocations succeed and the next one fails, once. */
void alloc_fault_after(unsigned after);

/* Lets every allocation succeed again. Returns whether one has failed since alloc_fault_after. */
bool alloc_fault_end(void);

#endif

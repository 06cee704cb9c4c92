/* descriptors.h - how many files this process has open, for tests that look for leaks. */
#ifndef LOTTERY_DESCRIPTORS_H
#define LOTTERY_DESCRIPTORS_H

/* Counts them. The count is for comparing with another one: what is open only while it counts is in
 * it. Ends the test when it cannot. */
unsigned descriptors_count(void);

#endif

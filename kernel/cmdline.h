/* SPDX-License-Identifier: MIT */
/*
 * The command line: words of the form NAME=VALUE, separated by blanks, parsed once at boot.
 *
 *   test=all|none|NAME,...[,full]     self-tests to run; with "full", no sweep takes samples
 *   done=reboot|poweroff|crash|wait   what to do after the tests; the default is reboot in a dom0,
 *                                     poweroff in a domU
 *   loglevel=error|warn|info|debug    lowest severity of the log lines that are printed
 *   p2m=both|list|tree                forms of the P2M to publish (mm/publish.h)
 *   balloon=none|max                  max: grow to the domain's limit before the tests
 *   grants=default|1|2                version of the grant table; by default 2 if the host has
 *                                     RAM whose MFN needs more than 32 bits
 *   pattern_pages=N                   pages of known contents (kernel/selftest/pattern_pages.h)
 *   bench=NAME                        benchmark to run after the tests (kernel/selftest/test.h)
 *   seed=N                            seed of the random test cases; the default is the clock
 *   watchdog=SECONDS                  time until Xen ends a domain that hangs (xen/watchdog.h);
 *                                     the default is 15, and 0 is never
 *   shell=none|edit|line              no tests, but a shell on the console (kernel/shell/shell.h);
 *                                     "shell" alone is shell=edit
 *   inject=FAULT                      fault injection (kernel/selftest/inject.h)
 */
#ifndef KERNEL_CMDLINE_H
#define KERNEL_CMDLINE_H

#include "lib/printk.h"

#include "mm/publish.h"

/* The order of each enumeration is the order of the words above. */
enum done { DONE_REBOOT, DONE_POWEROFF, DONE_CRASH, DONE_WAIT, DONE_DEFAULT };
enum balloon_option { BALLOON_NONE, BALLOON_MAX };
enum shell_option { SHELL_NONE, SHELL_EDIT, SHELL_LINE };
enum grants_option { GRANTS_DEFAULT, GRANTS_V1, GRANTS_V2 };

/* A part of the command line, without a 0 byte at the end. */
struct text {
    const char *s;
    size_t len;
};

struct options {
    struct text tests;  /* "all", "none", "full" or names of tests, separated by commas */
    struct text bench;  /* name of a benchmark, or empty */
    struct text inject; /* only recorded here: inject_stage has read inject= before */
    enum done done;
    enum loglevel loglevel;
    enum publish_form form;
    enum balloon_option balloon;
    enum grants_option grants;
    enum shell_option shell;
    uint64_t pattern_pages; /* number of pages */
    uint64_t seed;          /* 0: no seed= was given */
    uint64_t watchdog_seconds;
    unsigned int nr_bad; /* number of words that were ignored with a warning */
};

/*
 * Fills @o from @line, which must stay allocated as long as @o. For an unknown word, or a word with
 * an unknown value, prints a warning that names the expected words, counts it in nr_bad and ignores
 * it.
 */
void cmdline_parse(struct options *o, const char *line);

/*
 * Removes the first word from a comma-separated @list and returns it in *@word, which may be empty.
 * False if the list has no more words.
 */
bool cmdline_next(struct text *list, struct text *word);

/* True if @word equals the string @s. */
bool text_is(struct text word, const char *s);

/* True if test= names the self-test @name, or all self-tests ("all", or "full" alone). */
bool cmdline_wants_test(const struct options *o, const char *name);

/*
 * True if test= has the word @name itself, for a self-test that must not run unasked: Xen may end
 * the domain for what it does.
 */
bool cmdline_names_test(const struct options *o, const char *name);

/* True if test= has the word "full": sweeps visit every index (kernel/selftest/sweep.h). */
bool cmdline_wants_full(const struct options *o);

#endif

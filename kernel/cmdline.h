/* SPDX-License-Identifier: MIT */
/*
 * The command line: words of the form name=value, read once at boot.
 *
 *   test=all|none|NAME,...[,full]     which self-tests to run; full: no sweep takes samples
 *   done=reboot|poweroff|crash|wait   what to do then; else a dom0 reboots, a domU is powered off
 *   loglevel=error|warn|info|debug    how much to say on the way
 *   p2m=both|list|tree                which forms of the P2M to publish
 *   balloon=none|max                  grow to the domain's limit before the tests
 *   grants=1|2                        the grant table's version; else as Xen's MFNs need it
 *   pattern_pages=N                            pages whose contents are looked after:
 * pattern_pages.h seed=N                            what tests draw their random cases from; else
 * the clock's shell, shell=line                 no tests; a shell on the console, as shell.h says
 *   inject=...                        faults on purpose: inject.h
 */
#ifndef KERNEL_CMDLINE_H
#define KERNEL_CMDLINE_H

#include "lib/printk.h"

#include "mm/publish.h"

/* In the order of the words above. */
enum done { DONE_REBOOT, DONE_POWEROFF, DONE_CRASH, DONE_WAIT, DONE_DEFAULT };
enum balloon_option { BALLOON_NONE, BALLOON_MAX };
enum shell_option { SHELL_NONE, SHELL_EDIT, SHELL_LINE };
/* A number, but not any. */
enum grants_option { GRANTS_DEFAULT, GRANTS_V1, GRANTS_V2 };

/* A piece of the line, not terminated. */
struct text {
    const char *s;
    size_t len;
};

struct options {
    struct text tests;  /* "all", "none", "full" or names, with commas between */
    struct text inject; /* for the record: see inject.h */
    enum done done;
    enum loglevel loglevel;
    enum publish_form form;
    enum balloon_option balloon;
    enum grants_option grants;
    enum shell_option shell;
    uint64_t pattern_pages; /* pages */
    uint64_t seed;          /* 0: none was given */
    unsigned int nr_bad;    /* words that were reported */
};

/*
 * Parses @line, which must outlive @o. A word that is not known, or whose value is not, is named
 * on the console with what was expected, counted, and otherwise ignored.
 */
void cmdline_parse(struct options *o, const char *line);

/*
 * Cuts the next word off a list with commas between. False when there is none left; words may be
 * empty.
 */
bool cmdline_next(struct text *list, struct text *word);

/* Is @word the terminated text @s? */
bool text_is(struct text word, const char *s);

/* Is @name among the tests asked for? "full" alone asks for all. */
bool cmdline_wants_test(const struct options *o, const char *name);

/* Are sweeps to go through everything, however long that takes (sweep.h)? */
bool cmdline_wants_full(const struct options *o);

#endif

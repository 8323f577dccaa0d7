/* SPDX-License-Identifier: MIT */
/*
 * Publication of the P2M, against a tool of Xen that reads shared_info at any time: at boot, in a
 * new domain after a restore, after a cancelled suspend, and during a live migration.
 *
 * Follows: mm/publish.c publish
 * Follows: mm/publish.c publish_revoke
 * Follows: mm/publish.c publish_bump_generation
 * Follows: kernel/boot/setup.c shared_info_after_resume
 * Follows: kernel/boot/memory.c publish_stage
 * Follows: kernel/boot/memory.c publish_after_resume
 *
 * The tool is Xen's tools/libs/guest/xg_sr_save_x86_pv.c. There is one writer, and x86 keeps the
 * order of stores and the order of loads, so interleaved steps are all that a tool can see.
 */
#define NONE 0 /* 0, or for the tree also ~0: the tool refuses to save the domain */
#define OLD  1 /* names frames of the old host: must not be followed */
#define NEW  2

mtype = { BOOT, NEW_DOMAIN, CANCELLED, BOTH, LIST, TREE };
mtype history, form;

byte vaddr, fll, cr3, max_pfn;     /* fields of shared_info */
byte gen;                          /* p2m_generation */
bool list_is_full, tree_is_full;   /* contents of the list and of the tree */
byte place;                        /* where the list is mapped */
bool running, revoked;             /* the guest runs; it has dealt with shared_info */
bool stop_asked, stopped;

/* publish(): the stores in their order */
inline publish() {
    vaddr = NEW;
    gen = 0;
    if
    :: form == LIST -> fll = NONE
    :: else -> fll = NEW
    fi;
    if
    :: form == TREE -> cr3 = NONE
    :: else -> cr3 = NEW
    fi;
    max_pfn = NEW
}

/* The list gets another mapping; then publish_bump_generation() tells the tools. */
inline move_list() {
    place++;
    gen++;
    gen++
}

active proctype guest() {
    atomic {
        if
        :: history = BOOT
        :: history = NEW_DOMAIN
        :: history = CANCELLED
        fi;
        if
        :: form = BOTH
        :: form = LIST
        :: form = TREE
        fi;
        /* The tools restore the list, copy the fields, and set the tree's to 0 (handle_shared_info). */
        if
        :: history == BOOT -> skip
        :: history == NEW_DOMAIN ->
            list_is_full = true; vaddr = NEW; max_pfn = NEW;
            if
            :: form == TREE -> skip
            :: else -> cr3 = OLD
            fi
        :: history == CANCELLED ->
            list_is_full = true; vaddr = NEW; max_pfn = NEW;
            if
            :: form == TREE -> tree_is_full = true; fll = NEW
            :: form == LIST -> cr3 = NEW
            :: form == BOTH -> tree_is_full = true; fll = NEW; cr3 = NEW
            fi
        fi;
        running = true
    }

    /* shared_info_after_resume(): publish_revoke() in a new domain */
    if
    :: history == NEW_DOMAIN -> cr3 = NONE
    :: else
    fi;
    revoked = true;

    /* publish_stage() and publish_after_resume(): contents first */
    if
    :: history == CANCELLED -> skip
    :: else ->
        list_is_full = true;
        if
        :: form == LIST -> skip
        :: else -> tree_is_full = true
        fi;
        publish()
    fi;

    /* The domain lives, until a tool suspends it. */
end_live:
    do
    :: place == 0 && form != TREE -> move_list()
    :: stop_asked -> stopped = true; break
    od
}

active proctype tool() {
    byte c, f, g, v, mapped;
    bool began_after;

    running;
    /* map_p2m() */
    began_after = revoked;
    if
    :: max_pfn == NONE -> goto refused
    :: else
    fi;
    c = cr3;
    if
    :: c == NONE -> goto read_tree
    :: c == OLD && !began_after -> goto refused /* Limit: the tool came before the kernel ran. */
    :: else
    fi;

    /* map_p2m_list(), and the generation before it */
    g = gen;
    v = vaddr;
    mapped = place;
    assert(c == NEW && v == NEW && list_is_full);

    /* x86_pv_check_vm_state() in each round of a live migration, and once the domain has stopped */
    do
    :: !stop_asked && g != gen -> goto refused
    :: !stop_asked && g == gen -> stop_asked = true
    :: stopped -> break
    od;
    if
    :: g != gen -> goto refused
    :: else
    fi;
    assert(mapped == place);
    goto done;

read_tree:
    f = fll;
    if
    :: f == NONE -> goto refused
    :: else
    fi;
    assert(f == NEW && tree_is_full);
done:
refused:
    skip
}

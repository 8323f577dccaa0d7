# SPDX-License-Identifier: MIT
#
# An option ROM that answers the BIOS call int 15h, AX=E820h, from its own table, and passes each other
# call on. SeaBIOS runs the ROM before the boot loader, so QEMU's multiboot loader and the real-mode code
# of Xen get the map of another machine. The ROM also hides QEMU's own ACPI table SRAT, if MapHost.pm has given
# QEMU another one. MapHost.pm adds the table and the two sums:
#
#     0         55 aa, then the size of the ROM in units of 512 bytes
#     3         init, which SeaBIOS calls
#     table     u16 KiB of RAM at address 0; u16 number of entries; entries: u64 start, u64 size, u32 type
#     last      a byte that makes the sum of all bytes 0

        .set    VECTOR, 4 * 0x15        # offset and segment of the handler of int 15h
        .set    BASE_KIB, 0x413         # BIOS data area: KiB of RAM at address 0, the answer to int 12h
        .set    SMAP, 0x534d4150
        .set    ENTRY_SIZE, 20
        .set    CARRY, 1                # in FLAGS: the call failed

        # ACPI: names of tables, and offsets in the tables RSDP and RSDT
        .set    RSD_, 0x20445352
        .set    PTR_, 0x20525450
        .set    SRAT, 0x54415253
        .set    TARS, 0x53524154        # a name that nobody looks for; the sum of the bytes of the table stays 0
        .set    RSDP_RSDT, 16           # address of the RSDT
        .set    RSDT_LENGTH, 4
        .set    RSDT_TABLES, 36         # addresses of the tables

        .code16
        .text
        .byte   0x55, 0xaa, 0

init:   pushw   %ax
        pushw   %ds
        xorw    %ax, %ax
        movw    %ax, %ds
        movw    VECTOR, %ax
        movw    %ax, %cs:other
        movw    VECTOR + 2, %ax
        movw    %ax, %cs:other + 2
        movw    $hook, VECTOR
        movw    %cs, VECTOR + 2
        movw    %cs:table, %ax          # Xen puts its trampoline below the end of this RAM
        cmpw    %ax, BASE_KIB           # SeaBIOS keeps data above its own end
        jbe     1f
        movw    %ax, BASE_KIB
1:      call    hide_srats
        popw    %ds
        popw    %ax
        lretw

# Renames each SRAT but the last. QEMU puts the tables of -acpitable behind its own, and Xen reads the first SRAT.
# DS is 0, and SeaBIOS has set the limits of the segments to 4 GiB, as the PCI firmware specification wants.
hide_srats:
        pushal
        movl    $0xe0000, %esi
1:      cmpl    $RSD_, (%esi)
        jne     2f
        cmpl    $PTR_, 4(%esi)
        je      3f
2:      addl    $16, %esi
        cmpl    $0x100000, %esi
        jb      1b
        jmp     5f                      # no ACPI tables
3:      movl    RSDP_RSDT(%esi), %esi
        movl    RSDT_LENGTH(%esi), %edi
        addl    %esi, %edi
        addl    $RSDT_TABLES, %esi
        movl    $SRAT, %eax             # the name for the next SRAT
4:      subl    $4, %edi
        cmpl    %esi, %edi
        jb      5f
        movl    (%edi), %ebx
        cmpl    $SRAT, (%ebx)
        jne     4b
        movl    %eax, (%ebx)
        movl    $TARS, %eax
        jmp     4b
5:      popal
        retw

# EBX is the number of the entry, ES:DI the buffer of the caller, ECX its size. Returns EBX for the next
# call, or 0 with the last entry.
hook:   cmpl    $0xe820, %eax
        jne     pass
        cmpl    $SMAP, %edx
        jne     pass
        pushw   %bp
        movw    %sp, %bp                # 2(%bp): IP of the caller, 4: its CS, 6: its FLAGS
        pushw   %si
        pushw   %di
        orw     $CARRY, 6(%bp)
        movzwl  %cs:table + 2, %eax
        cmpw    $0xc000, 4(%bp)         # the caller is a ROM: QEMU's multiboot loader
        jb      1f
        cmpl    $50, %eax               # has room for 53 entries, and writes further ones over its stack
        jbe     1f
        movl    $50, %eax
1:      cmpl    $ENTRY_SIZE, %ecx
        jb      3f
        cmpl    %eax, %ebx
        jae     3f
        imulw   $ENTRY_SIZE, %bx, %si
        addw    $table + 4, %si
        movw    $ENTRY_SIZE, %cx
        cld
        rep movsb %cs:(%si), %es:(%di)
        movl    $ENTRY_SIZE, %ecx
        incl    %ebx
        cmpl    %eax, %ebx
        jb      2f
        xorl    %ebx, %ebx
2:      andw    $~CARRY, 6(%bp)
3:      movl    $SMAP, %eax
        popw    %di
        popw    %si
        popw    %bp
        iretw

pass:   .byte   0xea                    # a far jump
other:  .word   0, 0

        .balign 4
table:

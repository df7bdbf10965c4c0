// SPDX-License-Identifier: BSD-3-Clause
// The compiled XDP program, carried in the binary so that it cannot be lost or mismatched.
    .section .rodata
    .balign 8
    .globl xdp_filter_object
    .globl xdp_filter_object_end
    .hidden xdp_filter_object
    .hidden xdp_filter_object_end
xdp_filter_object:
    .incbin XDP_FILTER_OBJECT
xdp_filter_object_end:
    .section .note.GNU-stack, "", @progbits

// SPDX-License-Identifier: BSD-3-Clause
// Wiring only.

int main(void)
{
    return 0;
}

// SPDX-License-Identifier: BSD-3-Clause
// The headers are in the writer's byte order, which the magic number shows.
#include "pcap_file.h"

#include <errno.h>

#define MAGIC_MICROSECONDS 0xA1B2C3D4
#define LINKTYPE_ETHERNET  1
#define SNAP_LEN           65535

struct file_header {
    uint32_t magic;
    uint16_t major, minor;
    uint32_t reserved[2];
    uint32_t snap_len;
    uint32_t link_type;
};

struct frame_header {
    uint32_t seconds, microseconds;
    uint32_t captured_len, original_len;
};

int pcap_file_create(struct pcap_file *file, const char *path)
{
    const struct file_header header = {.magic = MAGIC_MICROSECONDS,
                                       .major = 2,
                                       .minor = 4,
                                       .snap_len = SNAP_LEN,
                                       .link_type = LINKTYPE_ETHERNET};
    FILE *stream = fopen(path, "wbe");

    if (!stream)
        return -errno;
    fwrite(&header, sizeof(header), 1, stream);
    file->stream = stream;
    return 0;
}

void pcap_file_write(struct pcap_file *file, const uint8_t *frame, size_t len)
{
    const struct frame_header header = {.captured_len = (uint32_t)len,
                                        .original_len = (uint32_t)len};

    fwrite(&header, sizeof(header), 1, file->stream);
    fwrite(frame, len, 1, file->stream);
}

int pcap_file_close(struct pcap_file *file)
{
    // Whichever write failed, the stream remembers that, not why.
    int error = ferror(file->stream) ? -EIO : 0;

    if (fclose(file->stream) != 0 && !error)
        error = -errno;
    file->stream = NULL;
    return error;
}

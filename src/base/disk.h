/* Bytes that must be on the disk, not only in the system's memory, before something else goes: what was copied is
 * removed only after its copy is safe, and that means the file's bytes and its name in the directory. All of these
 * block; errno tells why one failed. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "base/str.h"

/* Writes all of it. ST_IO: some of it may stand in the file. */
ANY int disk_write(int fd, const void *p, size_t n);
/* Syncs what the file has. ST_NOTFOUND: there is none of that name. */
ANY int disk_sync(const char *path);
/* Syncs the directory that the path's last part stands in: names made, renamed or removed there survive a power cut. */
ANY int disk_sync_parent(const char *path);
/* The file is text from now on, as a whole: written beside it (PATH.new, with mode), then renamed. When it fails the
 * old file is what it was. is_synced: it survives a power cut, too. */
ANY int disk_replace(const char *path, struct sv text, unsigned mode, bool is_synced);

/* The web console's files: read into memory once (at load, and by `http console reload`), then served from there. A
 * request is looked up by its exact path in a table of what was read, so that no name in it ever reaches the disk; what
 * is no regular file of the folder is not read. Names under assets/ carry a hash of their content and may be kept for a
 * year; the rest is asked for anew with its ETag. A .gz beside a file is what who accepts gzip gets. */
#include "base/hash.h"
#include "base/mem.h"
#include "base/slurp.h"
#include "text/digest.h"
#include "web/web_i.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { FILES_MAX = 512, FILE_MAX_BYTES = 8 << 20, FILES_MAX_BYTES = 32 << 20, ETAG_CHARS = 32 };

struct file {
	struct buf plain, packed;
	char etag[ETAG_CHARS + 3];
	const char *type;
	bool is_asset;
};
struct web_files { /* counted */
	struct hash *by_path;
	size_t count, bytes;
};
static struct web_files *files;

static const struct {
	const char *ext, *type;
} types[] = {{".html", "text/html; charset=utf-8"}, {".js", "text/javascript; charset=utf-8"},
    {".css", "text/css; charset=utf-8"}, {".svg", "image/svg+xml"}, {".json", "application/json"},
    {".png", "image/png"}, {".ico", "image/x-icon"}, {".woff2", "font/woff2"}, {".txt", "text/plain; charset=utf-8"},
    {".webmanifest", "application/manifest+json"}};

static const char *type_of(const char *name)
{
	size_t n = strlen(name);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		size_t m = strlen(types[i].ext);
		if (n > m && !strcasecmp(name + n - m, types[i].ext))
			return types[i].type;
	}
	return NULL;
}

/* ---- reading ---- */
static void file_free(void *value)
{
	struct file *f = value;
	buf_fini(&f->plain);
	buf_fini(&f->packed);
	mem_free(f);
}

static void files_free(void *obj)
{
	hash_free(((struct web_files *)obj)->by_path);
}

static bool slurp_within(struct web_files *all, const char *path, struct buf *out)
{
	struct stat info;
	if (all->bytes >= FILES_MAX_BYTES || lstat(path, &info) || !S_ISREG(info.st_mode) ||
	    slurp(path, FILE_MAX_BYTES, out, NULL))
		return false;
	all->bytes += out->n;
	return true;
}

static void file_read(struct web_files *all, const char *dir, const char *name, const char *url)
{
	char path[4096], packed[4100], hex[DIGEST_HEX_CHARS(DIGEST_SHA256_BYTES) + 1];
	uint8_t sum[DIGEST_SHA256_BYTES];
	const char *type = type_of(name);
	int n = snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (!type || n < 0 || n >= (int)sizeof(path) || all->count >= FILES_MAX)
		return;
	struct file *f = mem_zalloc(sizeof(*f));
	if (!f)
		return;
	f->type = type;
	buf_init(&f->plain);
	buf_init(&f->packed);
	f->is_asset = !strncmp(url, "/assets/", 8);
	snprintf(packed, sizeof(packed), "%s.gz", path);
	if (!slurp_within(all, path, &f->plain) || hash_get(all->by_path, sv_of(url))) {
		file_free(f);
		return;
	}
	slurp_within(all, packed, &f->packed);
	digest_sha256(f->plain.p, f->plain.n, sum);
	digest_hex(sum, sizeof(sum), hex);
	snprintf(f->etag, sizeof(f->etag), "\"%.*s\"", ETAG_CHARS, hex);
	if (hash_set(all->by_path, sv_of(url), f))
		file_free(f);
	else
		all->count++;
}

static void folder_read(struct web_files *all, const char *dir, const char *url)
{
	DIR *d = opendir(dir);
	const struct dirent *e;
	char path[4096];
	while (d && (e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		int n = snprintf(path, sizeof(path), "%s%s", url, e->d_name);
		if (n > 0 && n < (int)sizeof(path))
			file_read(all, dir, e->d_name, path);
	}
	if (d)
		closedir(d);
}

struct web_files *web_files_read(const char *dir)
{
	struct web_files *all = mem_new_atomic(sizeof(*all), files_free, "web.files");
	char assets[4096];
	if (!all || hash_new(&all->by_path, 0, file_free))
		return mem_unref(all);
	if (!dir || !*dir)
		return all;
	folder_read(all, dir, "/");
	int n = snprintf(assets, sizeof(assets), "%s/assets", dir);
	if (n > 0 && n < (int)sizeof(assets))
		folder_read(all, assets, "/assets/");
	return all;
}

void web_files_use(struct web_files *f)
{
	mem_unref(files);
	files = f;
}

void web_files_counts(size_t *count, size_t *bytes)
{
	*count = files ? files->count : 0;
	*bytes = files ? files->bytes : 0;
}

/* ---- serving ---- */
static ON_CTL void safety_put(struct http_exchange *x)
{
	struct buf policy;
	buf_init(&policy);
	buf_printf(&policy,
	    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
	    "media-src 'self' blob:; connect-src 'self'%s%s; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
	    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types vue",
	    *web_conf.phone_urls ? " " : "", web_conf.phone_urls);
	http_exchange_header(x, "Content-Security-Policy", policy.failed ? "default-src 'none'" : policy.p);
	buf_fini(&policy);
	http_exchange_header(x, "Referrer-Policy", "no-referrer");
	http_exchange_header(x, "X-Frame-Options", "DENY");
	http_exchange_header(x, "Cross-Origin-Opener-Policy", "same-origin");
	http_exchange_header(x, "Cross-Origin-Resource-Policy", "same-origin");
	http_exchange_header(x, "Permissions-Policy", "geolocation=(), camera=(), microphone=(self)");
}

static ON_CTL void not_built(struct http_exchange *x)
{
	http_exchange_header(x, "Cache-Control", "no-store");
	http_exchange_reply(x, 503, "text/plain; charset=utf-8",
	    SV("The web console is not built.\n\n"
	       "The switch runs all the same: its API is at /v1/status (docs/http.md). To have the console, install "
	       "nodejs "
	       "and npm, run ./dev build, then `http console reload` in the switch's console (docs/console.md).\n\n"
	       "网页控制台尚未构建。\n\n"
	       "交换机照常运行：接口见 /v1/status（docs/http.md）。安装 nodejs 和 npm，运行 ./dev build，"
	       "然后在交换机控制台执行 http console reload（docs/console.zh.md）。\n"));
}

void web_file(struct web_call *c)
{
	struct sv path = c->q->path, seen = http_header_get(c->q, "If-None-Match");
	bool is_index = sv_is(path, "/");
	struct file *f = files ? hash_get(files->by_path, is_index ? SV("/index.html") : path) : NULL;
	http_exchange_headers_clear(c->x);
	http_exchange_header(c->x, "X-Content-Type-Options", "nosniff");
	if (!f && is_index) {
		not_built(c->x);
		return;
	}
	if (!f) {
		web_problem(c->x, 404, "there is no such file");
		return;
	}
	safety_put(c->x);
	http_exchange_header(c->x, "ETag", f->etag);
	http_exchange_header(c->x, "Vary", "Accept-Encoding");
	http_exchange_header(c->x, "Cache-Control", f->is_asset ? "public, max-age=31536000, immutable" : "no-cache");
	if (sv_is(seen, f->etag)) {
		http_exchange_reply(c->x, 304, NULL, SV_NONE);
		return;
	}
	bool is_packed = f->packed.n && http_header_has(c->q, "Accept-Encoding", "gzip");
	if (is_packed)
		http_exchange_header(c->x, "Content-Encoding", "gzip");
	http_exchange_reply(c->x, 200, f->type, buf_sv(is_packed ? &f->packed : &f->plain));
}

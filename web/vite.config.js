import vue from '@vitejs/plugin-vue';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

// a .gz beside each file worth it: the switch sends it as it is. From what was written, for others still change the bundle.
const packed = {
  name: 'packed',
  writeBundle({ dir }, bundle) {
    for (const name of Object.keys(bundle)) {
      const source = readFileSync(join(dir, name));
      if (/\.(js|css)$/.test(name) && source.length > 1024)
        writeFileSync(join(dir, `${name}.gz`), gzipSync(source, { level: 9 }));
    }
  },
};

export default {
  plugins: [vue(), packed],
  define: { __VUE_OPTIONS_API__: 'false', __VUE_PROD_DEVTOOLS__: 'false', __VUE_I18N_LEGACY_API__: 'false', __VUE_I18N_FULL_INSTALL__: 'false',
    __INTLIFY_JIT_COMPILATION__: 'true', __INTLIFY_PROD_DEVTOOLS__: 'false' },
  build: { target: 'es2020', assetsInlineLimit: 0, modulePreload: { polyfill: false }, chunkSizeWarningLimit: 900, reportCompressedSize: false },
};

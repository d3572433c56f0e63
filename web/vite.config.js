import vue from '@vitejs/plugin-vue';
import { gzipSync } from 'node:zlib';

// a .gz beside each file worth it: the switch sends it as it is
const packed = {
  name: 'packed',
  generateBundle(_, bundle) {
    for (const [name, part] of Object.entries(bundle)) {
      const source = part.type === 'chunk' ? part.code : part.source;
      if (/\.(js|css)$/.test(name) && source.length > 1024)
        this.emitFile({ type: 'asset', fileName: `${name}.gz`, source: gzipSync(source, { level: 9 }) });
    }
  },
};

export default {
  plugins: [vue(), packed],
  define: { __VUE_OPTIONS_API__: 'false', __VUE_PROD_DEVTOOLS__: 'false', __VUE_I18N_LEGACY_API__: 'false', __VUE_I18N_FULL_INSTALL__: 'false',
    __INTLIFY_JIT_COMPILATION__: 'true', __INTLIFY_PROD_DEVTOOLS__: 'false' },
  build: { target: 'es2020', assetsInlineLimit: 0, modulePreload: { polyfill: false }, chunkSizeWarningLimit: 900, reportCompressedSize: false },
};

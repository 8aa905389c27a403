import { defineConfig } from 'vite';

export default defineConfig({
  base: './', // any static host, under any path
  assetsInclude: ['**/*.tflite'],
  server: { fs: { allow: ['..'] } }, // the models and samples are the Python package's
  build: {
    target: 'es2022',
    chunkSizeWarningLimit: 600,
    modulePreload: { polyfill: false },
  },
});

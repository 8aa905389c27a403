import { defineConfig } from 'vite';

/** The Content-Security-Policy of the page: nothing comes from or goes to another host. */
const POLICY = [
  "default-src 'self'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "img-src 'self' data:",
  "connect-src 'self' data:", // small samples are data URLs
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

export default defineConfig({
  base: './', // the page works under any path of a static host
  assetsInclude: ['**/*.tflite'],
  server: { fs: { allow: ['..'] } }, // models and samples lie in the Python package
  plugins: [
    {
      name: 'content-security-policy',
      apply: 'build', // the development server adds inline styles
      transformIndexHtml: () => [
        {
          tag: 'meta',
          attrs: { 'http-equiv': 'Content-Security-Policy', content: POLICY },
          injectTo: 'head-prepend',
        },
      ],
    },
  ],
  build: {
    target: 'es2022',
    chunkSizeWarningLimit: 600,
    modulePreload: { polyfill: false },
  },
});

import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import { defineConfig, type Plugin } from 'vite'

const SERVER = 'http://127.0.0.1:8000'

/** Puts `.br` and `.gz` beside each text file of `assets/`: the server sends them as they are. */
function compressed(): Plugin {
  return {
    name: 'compressed',
    apply: 'build',
    closeBundle() {
      const folder = new URL('dist/assets/', import.meta.url)
      for (const name of readdirSync(folder)) {
        if (!/\.(js|css|svg|webmanifest)$/.test(name)) continue
        const content = readFileSync(new URL(name, folder))
        const params = { [constants.BROTLI_PARAM_QUALITY]: 11 }
        writeFileSync(new URL(`${name}.br`, folder), brotliCompressSync(content, { params }))
        writeFileSync(new URL(`${name}.gz`, folder), gzipSync(content, { level: 9 }))
      }
    }
  }
}

export default defineConfig({
  plugins: [compressed()],
  build: {
    target: 'es2022',
    // Inlined, a file would be a `data:` address, which the content security policy keeps to images.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false
  },
  // `npm run dev` beside `make run`.
  server: { proxy: { '/api': SERVER, '/ws': { target: SERVER, ws: true }, '/collaboration': { target: SERVER, ws: true } } }
})

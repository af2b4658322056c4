import type { Disturbance } from './disturbance.ts';
import type { Sample, Soaked } from './soak.ts';

interface Panel {
  readonly title: string;
  readonly lines: readonly { readonly color: string; readonly value: (sample: Sample) => number | undefined }[];
}

const panels: readonly Panel[] = [
  {
    title: 'changes: p99 and median, ms',
    lines: [
      { color: '#c0392b', value: ({ p99 }) => p99 },
      { color: '#2c3e50', value: ({ median }) => median },
    ],
  },
  {
    title: 'memory: resident and live heap, MiB',
    lines: [
      { color: '#2980b9', value: ({ resident }) => resident },
      { color: '#2c3e50', value: ({ heap }) => heap },
    ],
  },
  { title: 'open descriptors', lines: [{ color: '#16a085', value: ({ descriptors }) => descriptors }] },
];
const colors: Readonly<Record<Disturbance, string>> = {
  reload: '#7f8c8d',
  'new keys': '#8e44ad',
  'new certificate': '#f39c12',
  'kill -9': '#e74c3c',
};
const [width, panelHeight, left, gap, head] = [800, 120, 60, 30, 40];

/** How a run went, as a small SVG: a panel for each figure, and a mark for each disturbance. */
export function drawSoak({ samples, disturbed }: Pick<Soaked, 'samples' | 'disturbed'>): string {
  const seconds = Math.max(1, ...samples.map(({ at }) => at));
  const x = (at: number) => (left + (at / seconds) * (width - left - 10)).toFixed(1);
  const height = head + panels.length * (panelHeight + gap);
  const legend = Object.entries(colors).map(
    ([what, color], at) => `<text x="${left + at * 140}" y="15" fill="${color}">| ${what}</text>`,
  );
  const drawn = panels.map((panel, at) => drawPanel(panel, samples, head + at * (panelHeight + gap), x));
  const marks = disturbed.map(
    ({ what, at }) =>
      `<line x1="${x(at)}" x2="${x(at)}" y1="${head}" y2="${height - gap}" stroke="${colors[what]}" opacity="0.3"/>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="11">`,
    `<rect width="${width}" height="${height}" fill="white"/>`,
    ...legend,
    ...marks,
    ...drawn,
    `<text x="${width - 10}" y="${height - 8}" text-anchor="end">${seconds.toFixed(0)} s</text>`,
    '</svg>\n',
  ].join('\n');
}

function drawPanel(
  { title, lines }: Panel,
  samples: readonly Sample[],
  top: number,
  x: (at: number) => string,
): string {
  const pointsOf = (value: Panel['lines'][number]['value']) =>
    samples.flatMap((sample) => {
      const y = value(sample);
      return y === undefined || Number.isNaN(y) ? [] : [{ at: sample.at, y }];
    });
  const most = Math.max(1, ...lines.flatMap(({ value }) => pointsOf(value).map(({ y }) => y)));
  const place = (y: number) => (top + panelHeight - (y / most) * (panelHeight - 15)).toFixed(1);
  return [
    `<line x1="${left}" x2="${width - 10}" y1="${top + panelHeight}" y2="${top + panelHeight}" stroke="#bdc3c7"/>`,
    `<text x="${left}" y="${top + 8}">${title}</text>`,
    `<text x="${left - 6}" y="${place(most)}" text-anchor="end">${most.toFixed(most < 10 ? 1 : 0)}</text>`,
    `<text x="${left - 6}" y="${top + panelHeight}" text-anchor="end">0</text>`,
    ...lines.map(({ color, value }) => {
      const points = pointsOf(value).map(({ at, y }) => `${x(at)},${place(y)}`);
      return `<polyline fill="none" stroke="${color}" points="${points.join(' ')}"/>`;
    }),
  ].join('\n');
}

// SPDX-License-Identifier: Apache-2.0
/** A small plot over time. */
import 'uplot/dist/uPlot.min.css';
import { LitElement } from 'lit';
import uPlot from 'uplot';

/* The time that is shown, in seconds. */
const SPAN = 120;

/** @typedef {uPlot.AlignedData} Data */

/**
 * <fn-plot name="…">: |data| as uPlot wants it, times in seconds first;
 * |colors| are the names of custom properties, one for each series.
 */
class Plot extends LitElement {
  /** @override */
  static properties = {
    data: { attribute: false }, colors: { attribute: false }, unit: { attribute: false },
    stepped: { attribute: false }, name: {},
  };

  /** @type {uPlot|undefined} */
  #plot;
  #resized = new ResizeObserver(() => {
    if (this.clientWidth > 0) this.#plot?.setSize(this.#size());
  });
  #scheme = matchMedia('(prefers-color-scheme: dark)');
  #rebuild = () => this.#build();

  constructor() {
    super();
    /** @type {Data} */
    this.data = [[]];
    /** @type {string[]} */
    this.colors = [];
    /** @type {(value: number) => string} */
    this.unit = String;
    this.stepped = false;
    this.name = '';
  }

  /**
   * Its style is the page's.
   * @override
   */
  createRenderRoot() {
    return this;
  }

  /** @override */
  connectedCallback() {
    super.connectedCallback();
    this.#resized.observe(this);
    this.#scheme.addEventListener('change', this.#rebuild);
  }

  /** @override */
  disconnectedCallback() {
    super.disconnectedCallback();
    this.#resized.disconnect();
    this.#scheme.removeEventListener('change', this.#rebuild);
    this.#plot?.destroy();
    this.#plot = undefined;
  }

  /** @override */
  updated() {
    this.role = 'img';
    this.ariaLabel = this.name;
    if (!this.#plot) this.#build();
    // The lists grow in place: uPlot is to look at them again.
    this.#plot?.setData(/** @type {Data} */ (this.data.map((list) => [...list])), true);
  }

  #size() {
    return { width: this.clientWidth, height: this.clientHeight };
  }

  #build() {
    this.#plot?.destroy();
    const style = getComputedStyle(this);
    const color = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
    const font = `11px ${style.fontFamily}`;
    const quiet = color('--quiet');
    const line = color('--line');
    this.#plot = new uPlot({
      ...this.#size(),
      legend: { show: false },
      cursor: { show: false },
      select: { show: false, left: 0, top: 0, width: 0, height: 0 },
      padding: [7, 2, 7, 2],
      scales: {
        x: { time: false, range: (_, min, max) => [(max ?? SPAN) - SPAN, max ?? SPAN] },
        y: { range: (_, min, max) => [0, Math.max(max ?? 0, 1) * 1.1] },
      },
      axes: [
        { show: false },
        { stroke: quiet, font, size: 46, gap: 4, ticks: { show: false }, grid: { stroke: line, width: 1 },
          splits: (_, __, min, max) => [0, max / 1.1 / 2, max / 1.1],
          values: (_, splits) => splits.map((value) => (Number.isInteger(value) || value >= 2 ? this.unit(Math.round(value)) : '')) },
      ],
      series: [{}, ...this.colors.map((name, i) => ({
        stroke: color(name), width: 1.5, points: { show: false },
        ...(i === 0 && { fill: `color-mix(in srgb, ${color(name)} 14%, transparent)` }),
        ...(this.stepped && { paths: uPlot.paths.stepped?.({ align: 1 }) }),
      }))],
    }, this.data, this);
  }
}

customElements.define('fn-plot', Plot);

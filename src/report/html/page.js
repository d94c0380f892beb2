'use strict';
// Tables that are sorted by a column, and a cursor that all charts share. The page is whole without it:
// it adds the buttons, and reads the values that the charts draw.
(() => {
const all = (root, css) => [...root.querySelectorAll(css)];
const add = (parent, name, className, text) => {
  const child = document.createElement(name);
  child.className = className;
  child.textContent = text || '';
  parent.append(child);
  return child;
};
document.documentElement.classList.add('js');

// A cell as a number, as a text, or as missing, which comes last in both directions.
const sortKey = cell => {
  const text = cell && cell.colSpan === 1 ? cell.dataset.sort || cell.textContent.trim() : '';
  const number = parseFloat(text);
  return isNaN(number) ? (/^(-|not measured)?$/.test(text) ? null : text) : number;
};
const compare = (a, b) => typeof a === 'number' && typeof b === 'number'
  ? a - b : String(a).localeCompare(String(b), undefined, {numeric: true});
const sortBy = (table, head) => {
  const isUp = head.getAttribute('aria-sort') !== 'ascending';
  all(table.tHead, '[aria-sort]').forEach(other => other.removeAttribute('aria-sort'));
  head.setAttribute('aria-sort', isUp ? 'ascending' : 'descending');
  table.classList.add('sorted');
  for (const body of table.tBodies) {
    const groups = [];
    for (const row of body.rows) {
      if (row.classList.contains('lane')) continue;
      if (row.classList.contains('reason')) groups[groups.length - 1].rows.push(row);
      else groups.push({rows: [row], key: sortKey(row.cells[head.cellIndex])});
    }
    groups.sort((a, b) => a.key === null || b.key === null
      ? (a.key === null) - (b.key === null)
      : (isUp ? 1 : -1) * compare(a.key, b.key));
    groups.forEach(group => body.append(...group.rows));
  }
};
const makeSortable = root => all(root, 'table.sorts').forEach(table =>
  all(table.tHead, 'th:not(.plain)').forEach(head => {
    const button = document.createElement('button');
    button.type = 'button';
    button.append(...head.childNodes);
    button.onclick = () => sortBy(table, head);
    head.append(button);
  }));

// The points of a line: time, value, and for an area its lower edge.
const points = shape => {
  const pairs = shape.getAttribute('points').split(' ').map(pair => pair.split(',').map(Number));
  if (shape.nodeName === 'polyline') return pairs;
  const back = pairs.slice(pairs.length / 2).reverse();
  return pairs.slice(0, pairs.length / 2).map(([at, upper], n) => [at, upper, back[n][1]]);
};
const round = value => String(+value.toFixed(2));
let charts = [];
let said;
const read = figure => {
  const svg = figure.querySelector('svg'), plot = svg.querySelector('svg');
  const [, , end, top] = plot.getAttribute('viewBox').split(' ').map(Number);
  const keys = all(figure, '.key[data-series]');
  const groups = all(plot, '.series');
  const time = add(figure.querySelector('figcaption'), 'span', 'at');
  const values = keys.map(key => [key.textContent, add(key, 'span', 'value')]);
  let lines;
  const series = () => lines ||= groups.map(group => {
    const of = all(group, 'polyline, polygon').flatMap(points);
    const steps = of.slice(1).map(([at], n) => at - of[n][0]).sort((a, b) => a - b);
    return {of, step: steps[steps.length >> 1] || 1, isRange: group.classList.contains('range')};
  });
  const nearest = (line, at) => {
    let best = null;
    for (const point of line.of) if (!best || Math.abs(best[0] - at) > Math.abs(point[0] - at)) best = point;
    return best;
  };
  const value = (line, at) => {
    const point = nearest(line, at);
    if (!point || Math.abs(point[0] - at) > 0.75 * line.step) return '\u2013';
    const [, upper, lower] = point;
    if (lower === undefined) return round(upper);
    return line.isRange ? `${round(lower)}..${round(upper)}` : round(upper - lower);
  };
  const mark = document.createElementNS('http' + '://www.w3.org/2000/svg', 'line');
  mark.setAttribute('class', 'cursor');
  mark.setAttribute('y2', top);
  return {
    svg, end, series,
    // The time of the point next to `at`, `by` points further.
    snap(at, by) {
      const line = series().reduce((one, other) => other.of.length > one.of.length ? other : one);
      const found = line.of.indexOf(nearest(line, at));
      const point = line.of[Math.min(Math.max(found + by, 0), line.of.length - 1)];
      return point ? point[0] : at;
    },
    show(at) {
      if (!figure.offsetParent) return;
      series().forEach((line, n) => values[n][1].textContent = at === null ? '' : value(line, at));
      time.textContent = at === null ? '' : `at ${round(at)} s`;
      if (at === null) return mark.remove();
      mark.setAttribute('x1', at);
      mark.setAttribute('x2', at);
      if (!mark.parentNode) plot.firstElementChild.append(mark);
    },
    words: () => `${time.textContent}: ` + values.map(([name, text]) => `${name} ${text.textContent}`).join(', '),
  };
};
let cursor = null;
const show = at => { cursor = at; charts.forEach(chart => chart.show(at)); };
const follow = chart => {
  const {svg, end} = chart;
  const at = event => {
    const box = svg.getBoundingClientRect();
    return chart.snap((event.clientX - box.left) / box.width * end, 0);
  };
  svg.onpointermove = svg.onpointerdown = event => show(at(event));
  svg.onpointerleave = event => { if (event.pointerType === 'mouse') show(null); };
  svg.setAttribute('tabindex', '0');
  svg.onkeydown = event => {
    const by = {ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10}[event.key];
    const to = {Home: 0, End: end}[event.key];
    if (event.key === 'Escape') show(null);
    else if (to !== undefined) show(chart.snap(to, 0));
    else if (by) show(cursor === null ? chart.snap(0, 0) : chart.snap(cursor, by));
    else return;
    event.preventDefault();
    said.textContent = cursor === null ? '' : chart.words();
  };
};
const begin = () => {
  makeSortable(document);
  charts = all(document, '.chart').map(read);
  charts.forEach(follow);
  said = add(document.querySelector('main'), 'p', 'said');
  said.setAttribute('aria-live', 'polite');
};
begin();
// A page that is live replaces its main part, and asks for this.
document.addEventListener('replaced', begin);
})();

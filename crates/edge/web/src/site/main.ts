// What every page does: the design system's styles, and times in the visitor's own zone.
import '../styles/tokens.css';
import '../styles/base.css';
import '../styles/components.css';
import './icon.svg?url';
import { localiseTimes } from '../lib/times.ts';

localiseTimes(document);

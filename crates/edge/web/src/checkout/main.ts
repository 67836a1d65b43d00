import '../site/main.ts';
